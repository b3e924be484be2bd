import type { Secret } from './secret.js';

export interface ChapCredentials {
  readonly user: string;
  readonly password: Secret;
}

/**
 * What an initiator needs to reach an export, by protocol. Open: a plugin adds its own with
 * `declare module '@vbs/core' { interface ConnectionMap { … } }` and brings its JSON Schema in the manifest.
 */
export interface ConnectionMap {
  /** `portals` are `host:port`, an IPv6 host in brackets. */
  iscsi: { readonly portals: readonly string[]; readonly iqn: string; readonly lun: number; readonly chap?: ChapCredentials };
  aoe: { readonly shelf: number; readonly slot: number };
  /** `uri` as in the NBD URI specification: `nbd://127.0.0.1:10809/exp-…`. */
  nbd: { readonly uri: string };
}
export type Protocol = keyof ConnectionMap & string;
export type ConnectionInfo<P extends Protocol = Protocol> = { [K in P]: { readonly protocol: K } & ConnectionMap[K] }[P];

/** Where a backend's volume lies, for an exporter on the same machine, by kind. Open in the same way. */
export interface LocatorMap {
  /** A block device, by a path that means this volume after a reboot too. */
  block: { readonly path: string };
  /** A regular file, by its absolute path. */
  file: { readonly path: string };
}
export type LocatorKind = keyof LocatorMap & string;
export type VolumeLocator<K extends LocatorKind = LocatorKind> = { [L in K]: { readonly kind: L } & LocatorMap[L] }[K];

export type Access = 'read-write' | 'read-only';

/** What a hypervisor attaches: a block device of its own machine, or a connection whose protocol it opens itself. */
export type DeviceSource =
  | { readonly kind: 'block'; readonly path: string }
  | { readonly kind: 'connection'; readonly connection: ConnectionInfo };
