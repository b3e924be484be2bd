import { type Call, type DetachResult, errorTable, VbsError } from '@vbs/core';
import { diskIn, look, type Parts } from './look.js';
import { requireChangeable, requireOurs, requireVm, type Wanted } from './requests.js';
import { takeOut } from './take-out.js';

/**
 * Takes a disk out of a VM. A request cannot be taken back by patterns, so that none is `refused`.
 *
 * @throws FAILED_PRECONDITION: the slot holds another source, or the VM is absent and another has the source.
 */
export async function detachDevice(call: Call, parts: Parts, wanted: Wanted): Promise<DetachResult> {
  const { vm, slot, path, attachmentId } = wanted;
  const picture = await look(call, parts);
  const holder = picture.disks.find((disk) => disk.source === path);
  if (!picture.vms.some((one) => one.vm === vm)) {
    if (holder === undefined) return 'detached';
    throw new VbsError('FAILED_PRECONDITION', `${vm} is not there, and ${holder.vm} has ${path} in ${holder.slot}: was the VM renamed?`, {
      resource: attachmentId,
      context: { vm, holder: holder.vm, slot: holder.slot },
    });
  }
  const disk = diskIn(picture, wanted);
  if (disk === undefined) return 'detached';
  requireOurs(disk.source, wanted);
  requireChangeable(requireVm(picture, wanted), parts.rules.capabilities.has('hotplug'));
  const { failure, left } = await takeOut(call, parts, wanted);
  if (left === undefined) return 'detached';
  if (call.signal.aborted) {
    throw new VbsError('DEADLINE_EXCEEDED', `${vm} was given up before it had let go of ${slot}.`, { resource: attachmentId });
  }
  if (failure === undefined || failure.context.reason === 'guest-busy') return 'requested';
  if (errorTable[failure.code].outcome === 'unknown') throw failure;
  // What the rules say of the tool's words is no proof that nothing is still to come (safety A1).
  throw new VbsError('INTERNAL', `${slot} of ${vm} is still there: ${failure.message}`, {
    resource: attachmentId,
    context: { ...failure.context, vm, slot },
    cause: failure,
  });
}
