import { type Call, type DetachResult, VbsError } from '@vbs/core';
import { type Disk, xenbus } from './disks.js';
import { diskIn, domidOf, look } from './look.js';
import { requireOurs } from './refusals.js';
import type { Wanted } from './requests.js';
import { takeOut } from './take-out.js';
import type { Tools } from './tools.js';

/**
 * Takes a disk out of a VM. Xen cannot take a request back, so that none is `refused`. A guest that has the disk mounted lets go of it all
 * the same.
 *
 * @throws FAILED_PRECONDITION: the slot holds another source, or the VM is absent and another has the source.
 */
export async function detachDevice(call: Call, tools: Tools, wanted: Wanted): Promise<DetachResult> {
  const { vm, path, attachmentId } = wanted;
  const picture = await look(call, tools);
  if (domidOf(picture, vm) === undefined) {
    const holder = picture.disks.find((disk) => disk.path === path);
    if (holder === undefined) return 'detached';
    throw new VbsError(
      'FAILED_PRECONDITION',
      `${vm} is not there, and domain ${holder.domid} has ${path} as ${holder.vdev.name}: was the VM renamed?`,
      { resource: attachmentId, context: { vm, domid: holder.domid, slot: holder.vdev.name } },
    );
  }
  const disk = diskIn(picture, wanted);
  if (disk === undefined) return 'detached';
  requireOurs(disk, wanted);
  // The guest was asked, and has not let go.
  if (!disk.online && disk.state === xenbus.closing && disk.guestState !== xenbus.closed) return 'requested';
  const { failure, left } = await takeOut(call, tools, wanted);
  if (left === undefined) return 'detached';
  const isAsked = !left.online || failure?.context.reason === 'guest-busy';
  if (isAsked && left.state !== xenbus.closed) return 'requested';
  throw unfinished(wanted, left, failure);
}

/** It was asked for, and is neither done nor on its way: what the tool said is no proof that nothing changed (safety A1). */
function unfinished({ vm, vdev, attachmentId }: Wanted, { state }: Disk, cause: VbsError | undefined): VbsError {
  if (cause !== undefined && errorIsUnknown(cause)) return cause;
  const why = cause === undefined ? 'though the tool says that it is out' : cause.message;
  return new VbsError('INTERNAL', `${vdev.name} of ${vm} is still there: ${why}`, {
    resource: attachmentId,
    context: { ...cause?.context, vm, slot: vdev.name, state },
    ...(cause === undefined ? {} : { cause }),
  });
}

function errorIsUnknown({ code }: VbsError): boolean {
  return ['INTERNAL', 'DEADLINE_EXCEEDED', 'UNAVAILABLE'].includes(code);
}
