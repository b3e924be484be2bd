import { type Access, type AttachDeviceRequest, type DeviceRequest, VbsError } from '@vbs/core';
import { isPluggable, parseSlot } from './slot.js';

/** A device request that was checked: nothing in it can mean more to Proxmox VE than it says. */
export interface Wanted {
  readonly attachmentId: string;
  /** The VM's key. */
  readonly vm: string;
  readonly slot: string;
  readonly path: string;
}

export interface WantedDisk extends Wanted {
  readonly access: Access;
  readonly sizeBytes: number;
  readonly serial: string;
}

/** @throws INVALID_ARGUMENT: a field that may not be passed on; `context.field` is its path. UNSUPPORTED: the source is a connection. */
export function wantedOf({ attachmentId, vm, slot, source }: DeviceRequest): Wanted {
  if (parseSlot(slot) !== slot) throw illegal('slot', `${JSON.stringify(slot)} is not how canonicalSlot writes ${parseSlot(slot)}`);
  if (source.kind !== 'block') {
    throw new VbsError('UNSUPPORTED', 'Proxmox VE is given no protocol to open: it takes block devices of the node.', {
      context: { field: 'source' },
    });
  }
  // A comma would begin an option of the drive, and any other path be looked for in Proxmox's storages.
  if (!/^\/dev\/[^\s,]+$/u.test(source.path)) {
    throw illegal('source.path', `${JSON.stringify(source.path.slice(0, 100))} is no path below /dev/ without commas and white space`);
  }
  return { attachmentId, vm, slot, path: source.path };
}

/** @throws as {@link wantedOf}; INVALID_ARGUMENT: the serial is none, or the slot takes no read-only disks. */
export function wantedDiskOf(request: AttachDeviceRequest): WantedDisk {
  const { access, sizeBytes, serial } = request;
  const wanted = wantedOf(request);
  if (!/^[\w.-]{1,20}$/.test(serial))
    throw illegal('serial', `${JSON.stringify(serial.slice(0, 40))} is no serial of at most 20 letters and digits`);
  if (access === 'read-only' && !isPluggable(wanted.slot)) {
    throw illegal('slot', `ide and sata slots, as ${wanted.slot}, take no read-only disks: choose a scsi or virtio slot`);
  }
  return { ...wanted, access, sizeBytes, serial };
}

function illegal(field: string, message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${message}.`, { context: { field } });
}
