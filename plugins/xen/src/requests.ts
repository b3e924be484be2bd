import { type Access, type DeviceRequest, VbsError } from '@vbs/core';
import { parseVdev, type Vdev } from './vdev.js';

/** A device request that was checked: nothing in it can mean more to a tool than it says. */
export interface Wanted {
  readonly attachmentId: string;
  /** The domain's name. */
  readonly vm: string;
  readonly vdev: Vdev;
  readonly path: string;
}

export interface WantedDisk extends Wanted {
  readonly access: Access;
  readonly sizeBytes: number;
}

/**
 * @throws INVALID_ARGUMENT: a field that no tool may be given; `context.field` is its path. UNSUPPORTED: the source is a connection.
 */
export function wantedOf({ attachmentId, vm, slot, source }: DeviceRequest): Wanted {
  const vdev = parseVdev(slot);
  if (vdev.name !== slot) throw illegal('slot', `${JSON.stringify(slot)} is not how canonicalSlot writes ${vdev.name}`);
  if (source.kind !== 'block') {
    throw new VbsError('UNSUPPORTED', 'Xen opens no protocol itself: it takes block devices of Dom0.', { context: { field: 'source' } });
  }
  // xl takes a comma for the end of the path, and what follows for slot and mode.
  if (!/^\/[^\s,]+$/u.test(source.path)) {
    throw illegal('source.path', `${JSON.stringify(source.path.slice(0, 100))} is no absolute path without commas and white space`);
  }
  requireName(vm, 'vm');
  return { attachmentId, vm, vdev, path: source.path };
}

/** @throws INVALID_ARGUMENT: xl and xm would take it for an id or an option. */
export function requireName(name: string, field: string): void {
  if (/^\d+$/.test(name)) throw illegal(field, `${name} is a domain id, which may mean another VM soon: give the VM's name`);
  if (name === '' || name.startsWith('-') || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) {
    throw illegal(field, `${JSON.stringify(name.slice(0, 80))} is no name that xl and xm take: it is empty, an option, or not one line`);
  }
}

function illegal(field: string, message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field } });
}
