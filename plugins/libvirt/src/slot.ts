import { VbsError } from '@vbs/core';

/** A slot of a VM: the `dev` of a disk's target in libvirt's XML, with the bus that a new disk there is put on. */
export interface Slot {
  readonly name: string;
  readonly bus: 'virtio' | 'scsi';
}

const buses = { vd: 'virtio', sd: 'scsi' } as const;
const forms = 'give vda to vdzz (virtio) or sda to sdzz (virtio-scsi), with or without /dev/ in front; no partition';

/**
 * The slot that a name means: `vdb` and `/dev/vdb` are one.
 * @throws INVALID_ARGUMENT: it is none, or one that QEMU can plug nothing into; `context.field` is `device`.
 */
export function parseSlot(device: string): Slot {
  const [, bus, disk] = /^(?:\/dev\/)?(vd|sd|hd|fd)([a-z]{1,2})$/.exec(device) ?? [];
  if (disk !== undefined && (bus === 'vd' || bus === 'sd')) return { name: `${bus}${disk}`, bus: buses[bus] };
  const shown = JSON.stringify(device.slice(0, 40));
  if (disk !== undefined) throw illegalDevice(`${shown} is on a bus (IDE, floppy) that takes no disk while the VM runs: ${forms}.`);
  throw illegalDevice(`${shown} is no slot of a libvirt VM: ${forms}.`);
}

export function illegalDevice(message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', message, { context: { field: 'device' } });
}
