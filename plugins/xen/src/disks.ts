import type { Access } from '@vbs/core';
import type { Store } from './parse-store.js';
import { type Vdev, vdevOf } from './vdev.js';

/** Where both ends of a disk stand (xen/include/public/io/xenbus.h). */
export const xenbus = { connected: 4, closing: 5, closed: 6, reconfiguring: 7, reconfigured: 8 } as const;

/** A disk of a VM as Dom0's backends have it: an entry of xenstore. */
export interface Disk {
  readonly domid: number;
  readonly vdev: Vdev;
  /** What it was attached with; left out where it is told no path (an empty CD drive), or not yet. */
  readonly path?: string;
  readonly access: Access;
  /** The backend's; it says connected a moment before the guest has the disk, and also when the guest cannot take it. */
  readonly state: number;
  /** The guest's own end. 0 where there is none. */
  readonly guestState: number;
  /** False once a detach was asked for. */
  readonly online: boolean;
  /** The hotplug script has refused it, which leaves the entry where it is. */
  readonly refused: boolean;
  /** `major:minor`, as sysfs writes it; left out where the backend has none of its own. */
  readonly device?: string;
  /** In 512 bytes, as Linux counts them whatever the device's sector is; left out until it is connected. */
  readonly sectors?: number;
  /** Whether all was there that every disk has; not while it comes or goes. */
  readonly whole: boolean;
}

const entry = /^\/local\/domain\/0\/backend\/(?:vbd|vbd3|tap|qdisk)\/(\d+)\/(\d+)(?:\/(.+))?$/;

/** Every disk that Dom0 serves; those of other backend domains are not among them. */
export function disksOf(store: Store): readonly Disk[] {
  const entries = new Map<string, Map<string, string>>();
  for (const [path, value] of store) {
    const [, domid, number, key] = entry.exec(path) ?? [];
    if (domid === undefined || number === undefined) continue;
    const id = `${domid}/${number}`;
    const fields = entries.get(id) ?? new Map<string, string>();
    if (key !== undefined) fields.set(key, value);
    entries.set(id, fields);
  }
  return [...entries].map(([id, fields]) => {
    const [domid, number] = id.split('/').map(Number);
    const guestState = store.get(`/local/domain/${domid}/device/vbd/${number}/state`);
    return diskOf(domid ?? 0, number ?? 0, Number(guestState ?? 0), fields);
  });
}

/** The domains that bear a name, by name. */
export function domidsOf(store: Store): ReadonlyMap<string, readonly number[]> {
  const names = new Map<string, number[]>();
  for (const [path, name] of store) {
    const [, domid] = /^\/local\/domain\/(\d+)\/name$/.exec(path) ?? [];
    if (domid !== undefined) names.set(name, [...(names.get(name) ?? []), Number(domid)]);
  }
  return names;
}

function diskOf(domid: number, number: number, guestState: number, fields: ReadonlyMap<string, string>): Disk {
  const [path, device, sectors] = [pathOf(fields.get('params') ?? ''), deviceOf(fields.get('physical-device')), fields.get('sectors')];
  return {
    domid,
    vdev: vdevOf(number),
    ...(path === undefined ? {} : { path }),
    access: fields.get('mode')?.startsWith('w') === true ? 'read-write' : 'read-only',
    state: Number(fields.get('state') ?? 0),
    guestState,
    online: fields.get('online') !== '0',
    refused: fields.has('hotplug-error') || ['busy', 'error'].includes(fields.get('hotplug-status') ?? ''),
    ...(device === undefined ? {} : { device }),
    ...(sectors === undefined ? {} : { sectors: Number(sectors) }),
    whole: ['params', 'mode', 'state'].every((key) => fields.has(key)),
  };
}

/** `/dev/x`; `aio:/dev/x` of a backend in QEMU or tapdisk; `sda7`, which xm takes for /dev/sda7. */
function pathOf(params: string): string | undefined {
  const path = params.replace(/^[a-z\d]+:(?=\/|$)/, '');
  if (path === '') return undefined;
  return path.startsWith('/') ? path : `/dev/${path}`;
}

/** Told in hexadecimal. */
function deviceOf(physicalDevice: string | undefined): string | undefined {
  const [, major, minor] = /^([\da-f]+):([\da-f]+)$/i.exec(physicalDevice ?? '') ?? [];
  return major === undefined || minor === undefined ? undefined : `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`;
}
