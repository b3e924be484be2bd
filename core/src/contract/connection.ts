import type { Secret } from './secret.js';

/** `user` is the export id. */
export interface ChapCredentials {
  readonly user: string;
  readonly password: Secret;
}

/**
 * What an initiator needs to reach an export, by protocol. Open: a plugin adds its own with
 * `declare module '@vbs/core' { interface ConnectionMap { … } }` and brings its JSON Schema in the manifest.
 */
export interface ConnectionMap {
  /** `portals` are `host:port`, an IPv6 host in brackets. `serial` is what the device will show, as far as the target can set it. */
  iscsi: {
    readonly portals: readonly string[];
    readonly iqn: string;
    readonly lun: number;
    readonly serial: string;
    readonly chap?: ChapCredentials;
  };
  /** `serial` is the volume's; AoE devices do not show it, initiators compare address and size. */
  aoe: { readonly shelf: number; readonly slot: number; readonly serial: string };
  /** `uri` as in the NBD URI specification: `nbd://127.0.0.1:10809/exp-…`. */
  nbd: { readonly uri: string };
}
export type Protocol = keyof ConnectionMap & string;
/**
 * `key` tells a connection from every other of its protocol (`<iqn>/<lun>`, `e1.1`, the NBD URI). It follows from the other fields
 * alone, so that exporter, initiator and hypervisor, each of which sees a part of them, name the same connection the same.
 */
export type ConnectionInfo<P extends Protocol = Protocol> = {
  [K in P]: { readonly protocol: K; readonly key: string } & ConnectionMap[K];
}[P];

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
