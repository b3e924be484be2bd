import { VbsError } from '@vbs/core';
import { type Acts, isUnknown } from './acts.js';
import { holds, notPlugged } from './refusals.js';
import type { SlotState, Vm } from './vm.js';

/** `gone`: the disk is out. `held`: the guest has it still, and the request was taken back. `asked`: the request could not be taken back. */
export type TakenOut = 'gone' | 'held' | 'asked';

/**
 * Takes out a disk that was seen to be in its slot, and looks what came of it. What Proxmox VE cannot do at once it keeps as a
 * pending change, which is taken back.
 *
 * @throws FAILED_PRECONDITION: disks of this slot go only while the VM is stopped; or what was told and left everything as it was.
 */
export async function takeOut(acts: Acts, vm: Vm): Promise<TakenOut> {
  const failure = await acts.change(vm, 'delete');
  const after = await acts.lookAfter();
  const left = ours(acts, after);
  if (left?.current === undefined) return 'gone';
  if (!left.leaving) throw failure ?? unfinished(acts);
  if (failure !== undefined && isUnknown(failure)) throw failure;
  const stuck = await acts.change(after, 'revert');
  const last = ours(acts, await acts.lookAfter());
  if (last?.current === undefined) return 'gone';
  if (last.leaving) {
    acts.call.log.warn({ attachmentId: acts.wanted.attachmentId, error: stuck?.message }, 'a pending removal could not be taken back');
    return 'asked';
  }
  if (failure?.context.reason === 'guest-busy') return 'held';
  throw notPlugged(acts.wanted, last === undefined ? vm : after, failure);
}

/**
 * Puts an end to a change that is to come and that nobody knows the state of: a tool that was killed between plugging a disk in and
 * writing so leaves the disk with the guest. So it is tried again, and taken back only where that has not brought it in.
 */
export async function finishPending(acts: Acts, vm: Vm, { next }: SlotState): Promise<void> {
  const failure = await acts.change(vm, { set: next?.text ?? '' });
  const after = await acts.lookAfter();
  const left = ours(acts, after);
  if (left === undefined || left.current !== undefined) return;
  if (failure !== undefined && isUnknown(failure)) throw failure;
  const stuck = await acts.change(after, 'revert');
  if (ours(acts, await acts.lookAfter()) === undefined) return;
  throw stuck ?? unfinished(acts);
}

/** What the slot has of this source. */
export function ours({ wanted }: Acts, vm: Vm): SlotState | undefined {
  const state = vm.slots.get(wanted.slot);
  return state !== undefined && holds(state) === wanted.path ? state : undefined;
}

function unfinished({ wanted: { vm, slot, attachmentId } }: Acts): VbsError {
  return new VbsError('INTERNAL', `${slot} of VM ${vm} was changed, as Proxmox VE says, and is as it was.`, {
    resource: attachmentId,
    context: { vm, slot },
  });
}
