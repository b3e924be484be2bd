import { VbsError } from '@vbs/core';

/** xvdb to xvdz: xvda is the VM's own disk. */
export const mostSlots = 25;

const first = 'b'.charCodeAt(0);
const xvdMajor = 202;
const disksOfMajor = 16;

/** The slots of a VM that takes so many disks, in order. */
export function slotNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `xvd${String.fromCharCode(first + index)}`);
}

/**
 * The number by which Xen knows a slot: `202<<8 | disk<<4` for xvda to xvdp, `1<<28 | disk<<8` beyond
 * (xen-vbd-interface(7)).
 */
function deviceNumber(slot: string): number {
  const disk = slot.charCodeAt(3) - 'a'.charCodeAt(0);
  return disk < disksOfMajor ? (xvdMajor << 8) | (disk << 4) : (1 << 28) | (disk << 8);
}

/**
 * The slot that a device name means: `xvdb`, `/dev/xvdb` and `51728` are one.
 *
 * @throws INVALID_ARGUMENT: not one of the slots; `context.field` is `device`.
 */
export function parseSlot(device: string, slots: readonly string[]): string {
  const found = slots.find((slot) => device === slot || device === `/dev/${slot}` || device === String(deviceNumber(slot)));
  if (found !== undefined) return found;
  const [from, to] = [slots[0], slots.at(-1)];
  const names = from === to ? from : `${from} to ${to}`;
  throw new VbsError(
    'INVALID_ARGUMENT',
    `${JSON.stringify(device.slice(0, 40))} is not a disk slot of this VM: give ${names}, /dev/${from} or its Xen number (51728 is xvdb); no partition.`,
    { context: { field: 'device', legal: slots } },
  );
}
