import { VbsError } from '@vbs/core';
import { type Acts, isOvertaken, isUnknown, mostTries } from './acts.js';
import type { Drive } from './drive.js';
import { notPlugged, requireNoOther, requireOurs, slotTaken } from './refusals.js';
import type { WantedDisk } from './requests.js';
import { ours, takeOut } from './take-out.js';

/**
 * Puts a device of the node into a VM, and answers when its configuration has it as current: plugged in where the VM runs. Proxmox VE
 * would replace in silence what a slot holds, so that the slot is looked at first, and the change is refused if anybody changed the VM since.
 *
 * @throws NOT_FOUND: no such VM. FAILED_PRECONDITION: the slot is taken; the device is missing, or not what it must be; the VM does not
 * take it while it runs, and the change was taken back. ABORTED: something else is done to the VM.
 */
export async function attachDevice(acts: Acts, wanted: WantedDisk, drive: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await attachOnce(acts, wanted, drive);
    } catch (error) {
      if (!isOvertaken(error) || tries === mostTries) throw error;
    }
  }
}

async function attachOnce(acts: Acts, wanted: WantedDisk, drive: string): Promise<void> {
  let vm = await acts.require();
  requireNoOther(vm, wanted);
  const there = vm.slots.get(wanted.slot);
  if (there !== undefined) requireOurs(there, wanted);
  if (there?.current !== undefined) {
    // What was to be taken out may be out already, unknown to the configuration: only another try tells.
    const isGone = there.leaving && (await takeOut(acts, vm)) === 'gone';
    if (!isGone) return requireAccess(there.current, wanted);
    vm = await acts.lookAfter();
  }
  const failure = await acts.change(vm, { set: drive });
  if (isOvertaken(failure)) throw failure;
  const after = await acts.lookAfter();
  const now = after.slots.get(wanted.slot);
  if (now === undefined) throw failure ?? vanished(wanted);
  const mine = ours(acts, after);
  if (mine === undefined) throw slotTaken(wanted, now);
  if (mine.current !== undefined && !mine.leaving) return await requireRight(acts, wanted, mine.current);
  if (isUnknown(failure)) throw failure;
  const stuck = await acts.change(after, 'revert');
  const left = ours(acts, await acts.lookAfter());
  if (left !== undefined) throw stays(wanted, stuck);
  throw notPlugged(wanted, after, failure);
}

/** @throws FAILED_PRECONDITION: the disk that is there already has another access. */
function requireAccess({ access }: Drive, { vm, slot, access: wanted, attachmentId }: WantedDisk): void {
  if (access === wanted) return;
  throw new VbsError('FAILED_PRECONDITION', `${slot} of VM ${vm} is ${access}, not ${wanted}: detach it first.`, {
    resource: attachmentId,
    context: { vm, slot },
  });
}

/** @throws FAILED_PRECONDITION: the disk that was just attached has another size or access than it must; it was taken out again. */
async function requireRight(acts: Acts, { vm, slot, path, access, sizeBytes, attachmentId }: WantedDisk, found: Drive): Promise<void> {
  const differences = [
    ...(found.sizeBytes === undefined || found.sizeBytes === sizeBytes ? [] : [`has ${found.sizeBytes} bytes, not ${sizeBytes}`]),
    ...(found.access === access ? [] : [`was attached ${found.access}, not ${access}`]),
  ];
  if (differences.length === 0) return;
  const message = `${path} is not the volume that ${slot} of VM ${vm} must be: it ${differences.join('; it ')}.`;
  const context = { reason: 'wrong-device', vm, slot };
  if ((await takeOut(acts, await acts.lookAfter())) === 'gone') {
    throw new VbsError('FAILED_PRECONDITION', `${message} It was taken out again.`, { resource: attachmentId, context });
  }
  throw new VbsError('DEADLINE_EXCEEDED', `${message} The guest has not let go of it.`, { resource: attachmentId, context });
}

function vanished({ vm, slot, attachmentId }: WantedDisk): VbsError {
  return new VbsError('INTERNAL', `Proxmox VE says that ${slot} of VM ${vm} was set, and it is empty.`, {
    resource: attachmentId,
    context: { vm, slot },
  });
}

/** What the caller must not take for unchanged: the VM gets the disk when it is started again. */
function stays({ vm, slot, attachmentId }: WantedDisk, cause: VbsError | undefined): VbsError {
  const message = `The change of ${slot} of VM ${vm} is to come, and could not be taken back: ${cause?.message ?? 'nobody says why'}.`;
  return new VbsError('DEADLINE_EXCEEDED', message, { resource: attachmentId, context: { vm, slot }, cause });
}
