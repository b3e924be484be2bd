import { VbsError } from '@vbs/core';

const last = { ide: 3, sata: 5, scsi: 30, virtio: 15 } as const;
type Bus = keyof typeof last;

/** The bus of a slot's canonical name; undefined for what is no slot of a disk. */
export function busOf(slot: string): Bus | undefined {
  const [, bus, index] = /^(ide|sata|scsi|virtio)(0|[1-9]\d?)$/.exec(slot) ?? [];
  if (bus === undefined || !isBus(bus) || Number(index) > last[bus]) return undefined;
  return bus;
}

/** Whether disks of a slot come and go while the VM runs, and may be read-only. */
export function isPluggable(slot: string): boolean {
  const bus = busOf(slot);
  return bus === 'scsi' || bus === 'virtio';
}

/**
 * The canonical name of a slot: `scsi1`, `SCSI1` and QEMU's `drive-scsi1` are one.
 *
 * @throws INVALID_ARGUMENT: it is none; `context.field` is `device`.
 */
export function parseSlot(device: string): string {
  const slot = device.length > 20 ? '' : device.toLowerCase().replace(/^drive-/, '');
  if (busOf(slot) !== undefined) return slot;
  const legal = Object.entries(last).map(([bus, index]) => `${bus}0 to ${bus}${index}`);
  throw new VbsError('INVALID_ARGUMENT', `${JSON.stringify(device.slice(0, 40))} is no slot of a VM: give ${legal.join(', ')}.`, {
    context: { field: 'device' },
  });
}

function isBus(name: string): name is Bus {
  return Object.hasOwn(last, name);
}
