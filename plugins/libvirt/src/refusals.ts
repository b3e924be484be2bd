import { VbsError } from '@vbs/core';
import type { Vm } from './look.js';
import type { Disk } from './parse-domain.js';
import type { Wanted } from './requests.js';

export function noSuchVm(vm: string): VbsError {
  return new VbsError('NOT_FOUND', `This node has no VM ${JSON.stringify(vm.slice(0, 80))}.`, { resource: vm, context: { vm } });
}

/** What a slot holds, live and in the definition. */
export interface Held {
  readonly live?: Disk;
  readonly config?: Disk;
}

export function heldIn({ live, config }: Vm, { slot }: Wanted): Held {
  const inSlot = (disks: readonly Disk[] = []): Disk | undefined => disks.find(({ target }) => target === slot.name);
  const [now, next] = [inSlot(live), inSlot(config)];
  return { ...(now === undefined ? {} : { live: now }), ...(next === undefined ? {} : { config: next }) };
}

export function isOurs(disk: Disk | undefined, { source }: Wanted): boolean {
  return disk?.source?.key === source.key;
}

/** @throws FAILED_PRECONDITION: the slot holds another disk, now or at the VM's next start (`context.slot`). */
export function requireNoOther(vm: Vm, wanted: Wanted): void {
  const { live, config } = heldIn(vm, wanted);
  const other = [live, config].find((disk) => disk !== undefined && !isOurs(disk, wanted));
  if (other !== undefined) throw slotTaken(wanted, other);
}

export function slotTaken({ vm, slot, source, attachmentId }: Wanted, disk: Disk): VbsError {
  const holds = disk.source?.key ?? 'another disk';
  return new VbsError('FAILED_PRECONDITION', `${slot.name} of ${vm} holds ${holds}, not ${source.key}: choose another slot.`, {
    resource: attachmentId,
    context: { reason: 'slot-taken', vm, slot: slot.name, holds },
  });
}

/** @throws FAILED_PRECONDITION: the VM has the source in another slot. */
export function requireNotElsewhere({ live = [], config = [] }: Vm, wanted: Wanted): void {
  const elsewhere = [...live, ...config].find((disk) => disk.target !== wanted.slot.name && isOurs(disk, wanted));
  if (elsewhere === undefined) return;
  const { vm, slot, source, attachmentId } = wanted;
  throw new VbsError('FAILED_PRECONDITION', `${vm} has ${source.key} already, as ${elsewhere.target}.`, {
    resource: attachmentId,
    context: { vm, slot: slot.name, holder: elsewhere.target },
  });
}

/** @throws FAILED_PRECONDITION: what the VM will have at its next start cannot be changed. */
export function requireNotSaved({ saved, running }: Vm, { vm, attachmentId }: Wanted): void {
  if (!saved || running) return;
  const message = `${vm} is stopped with a saved state, in which its disks stay as they were: start it, or drop the state (virsh managedsave-remove).`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context: { reason: 'saved-state', vm } });
}
