import { type Call, VbsError } from '@vbs/core';
import { lookAtOne } from './look.js';
import { readSize } from './read-size.js';
import { heldIn, isOurs, noSuchVm, requireNoOther } from './refusals.js';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/**
 * Shows a running guest the size that the source has by now; QEMU shows a stopped one whatever there is when it starts. A size below the
 * one that is shown is never told to QEMU, which would shrink some disks without a word.
 *
 * @throws FAILED_PRECONDITION: the slot does not hold this source; the source has not grown; it is an NBD export (`reason` `reattach`).
 */
export async function extendDevice(call: Call, tools: Tools, wanted: Wanted, sizeBytes: number): Promise<number> {
  const { vm: vmId, slot, attachmentId } = wanted;
  const vm = await lookAtOne(call, tools, vmId);
  if (vm === undefined) throw noSuchVm(vmId);
  requireNoOther(vm, wanted);
  const { live, config } = heldIn(vm, wanted);
  if (!isOurs(vm.running ? live : config, wanted)) {
    throw new VbsError('FAILED_PRECONDITION', `${slot.name} of ${vmId} holds no disk.`, {
      resource: attachmentId,
      context: { slot: slot.name },
    });
  }
  if (!vm.running) return sizeBytes;
  const before = await readSize(call, tools, wanted);
  if (before >= sizeBytes) return before;
  const failure = await tools.change(call, attachmentId, 'resize', { vmId, target: slot.name, sizeBytes });
  if (failure !== undefined) throw failure;
  const after = await readSize(call, tools, wanted);
  if (after >= sizeBytes) return after;
  const message = `QEMU says that ${slot.name} of ${vmId} was extended, and shows ${after} bytes, not ${sizeBytes}.`;
  throw new VbsError('INTERNAL', message, { resource: attachmentId, context: { vm: vmId, slot: slot.name } });
}
