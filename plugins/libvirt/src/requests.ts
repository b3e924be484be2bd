import { type Access, type AttachDeviceRequest, type ChapCredentials, type DeviceRequest, isId, VbsError } from '@vbs/core';
import { parseSlot, type Slot } from './slot.js';
import { type Source, sourceOf } from './source.js';

/** A device request that was checked: nothing in it can mean more to a tool than it says. */
export interface Wanted {
  readonly attachmentId: string;
  /** The VM's UUID, or what names no VM. */
  readonly vm: string;
  readonly slot: Slot;
  readonly source: Source;
}

export interface WantedDisk extends Wanted {
  readonly access: Access;
  readonly sizeBytes: number;
  readonly serial: string;
  readonly chap?: ChapCredentials;
}

/** @throws INVALID_ARGUMENT: a field that is not legal; `context.field` is its path. UNSUPPORTED: QEMU is not given this protocol. */
export function wantedOf({ attachmentId, vm, slot: name, source }: DeviceRequest): Wanted {
  if (!isId('attachment', attachmentId))
    throw illegal('attachmentId', 'attachmentId must be the id of an attachment, att- and 17 hex digits.');
  const slot = parseSlot(name);
  if (slot.name !== name) throw illegal('slot', `${JSON.stringify(name)} is not how canonicalSlot writes ${slot.name}.`);
  return { attachmentId, vm, slot, source: sourceOf(source) };
}

/** @throws as `wantedOf`. */
export function wantedDisk(request: AttachDeviceRequest): WantedDisk {
  const { access, sizeBytes, serial, source } = request;
  if (!/^[\w.-]{1,20}$/.test(serial))
    throw illegal('serial', `serial must be 1 to 20 letters and digits; a longer one would be cut by QEMU.`);
  const chap = source.kind === 'connection' && source.connection.protocol === 'iscsi' ? source.connection.chap : undefined;
  return { ...wantedOf(request), access, sizeBytes, serial, ...(chap === undefined ? {} : { chap }) };
}

function illegal(field: string, message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field } });
}
