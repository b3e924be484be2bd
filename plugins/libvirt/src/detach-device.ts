import { type Call, type DetachResult, VbsError } from '@vbs/core';
import { lookAtAll, lookAtOne } from './look.js';
import { heldIn, isOurs, requireNoOther, requireNotSaved } from './refusals.js';
import type { Wanted } from './requests.js';
import { removeSecret } from './secrets.js';
import { takeOut } from './take-out.js';
import type { Tools } from './tools.js';

/**
 * Takes a disk out of a VM, now and for its next start. libvirt cannot take a request back, so that none is `refused`.
 *
 * @throws FAILED_PRECONDITION: the slot holds another source; the VM is absent and another has the source; it has a saved state.
 */
export async function detachDevice(call: Call, tools: Tools, wanted: Wanted): Promise<DetachResult> {
  const vm = await lookAtOne(call, tools, wanted.vm);
  if (vm === undefined) {
    await requireNowhere(call, tools, wanted);
    return await out(call, tools, wanted);
  }
  requireNotSaved(vm, wanted);
  const { live, config } = heldIn(vm, wanted);
  if (live === undefined && config === undefined) return await out(call, tools, wanted);
  if (!isOurs(live, wanted) && !isOurs(config, wanted)) requireNoOther(vm, wanted);
  const { failure, left } = await takeOut(call, tools, wanted, vm);
  if (left === undefined) return await out(call, tools, wanted);
  const isAsked = failure === undefined || failure.context.reason === 'guest-busy';
  if (left === 'live' && isAsked) return 'requested';
  throw unfinished(wanted, left, failure);
}

async function out(call: Call, tools: Tools, { source, attachmentId }: Wanted): Promise<DetachResult> {
  if (source.type === 'iscsi') await removeSecret(call, tools, attachmentId);
  await tools.removeFile(call, attachmentId);
  return 'detached';
}

async function requireNowhere(call: Call, tools: Tools, wanted: Wanted): Promise<void> {
  for (const { key, live = [], config = [] } of await lookAtAll(call, tools)) {
    const holder = [...live, ...config].find((disk) => isOurs(disk, wanted));
    if (holder === undefined) continue;
    const { vm, source, attachmentId } = wanted;
    throw new VbsError('FAILED_PRECONDITION', `${vm} is not there, and the VM ${key} has ${source.key} as ${holder.target}.`, {
      resource: attachmentId,
      context: { vm, holder: key, slot: holder.target },
    });
  }
}

/** It was asked for, and is neither done nor on its way: what virsh said is no proof that nothing changed (safety A1). */
function unfinished({ vm, slot, attachmentId }: Wanted, left: 'live' | 'config', cause: VbsError | undefined): VbsError {
  if (cause !== undefined && ['INTERNAL', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'].includes(cause.code)) return cause;
  const where = left === 'live' ? '' : ' in its definition';
  const why = cause === undefined ? 'though virsh says that it is out' : cause.message;
  return new VbsError('INTERNAL', `${slot.name} of ${vm} is still there${where}: ${why}`, {
    resource: attachmentId,
    context: { ...cause?.context, vm, slot: slot.name },
    ...(cause === undefined ? {} : { cause }),
  });
}
