import { type Call, VbsError } from '@vbs/core';
import { poll } from '../rules/poll.js';
import { type Disk, diskIn, look, type Parts, type Picture } from './look.js';
import { requireChangeable, requireNoOther, requireOurs, requireVm, type WantedDisk } from './requests.js';
import { change, takeOut } from './take-out.js';

const commandLimitMs = 40_000;

/**
 * Puts a device of the node into a VM, and answers when it is listed as attached. What an attempt before has left is taken out first.
 *
 * @throws NOT_FOUND: no such VM. FAILED_PRECONDITION: the slot is taken; the guest does not take the disk, and it was taken back; what
 * the rules say of the tool's refusal. DEADLINE_EXCEEDED: the disk is neither there nor gone.
 */
export async function attachDevice(call: Call, parts: Parts, wanted: WantedDisk): Promise<void> {
  const picture = await look(call, parts);
  requireChangeable(requireVm(picture, wanted), parts.rules.capabilities.has('hotplug'));
  requireNoOther(picture, wanted);
  const there = diskIn(picture, wanted);
  if (there !== undefined) {
    requireOurs(there.source, wanted);
    const settled = there.state === 'attached' ? there : (await settle(call, parts, wanted, parts.rules.attachTimeoutMs)).disk;
    if (settled?.state === 'attached') return requireAccess(settled, wanted);
    if (settled !== undefined) await takeBack(call, parts, wanted);
  }
  await putIn(call, parts, wanted);
}

async function putIn(call: Call, parts: Parts, wanted: WantedDisk): Promise<void> {
  const { vm, slot, path, access, serial, sizeBytes, attachmentId } = wanted;
  const mode = parts.rules.mode[access];
  const values = { vmId: vm, vmmDev: path, vmDev: slot, mode, access, serial, sizeBytes };
  const failure = await change(call, parts, 'attach', values, { guard: attachmentId, timeLimitMs: commandLimitMs });
  if (failure !== undefined && call.signal.aborted) throw failure;
  const { disk, picture } = await settle(call, parts, wanted, failure === undefined ? parts.rules.attachTimeoutMs : 0);
  if (disk === undefined) throw failure ?? vanished(wanted, picture);
  if (disk.source !== undefined) requireOurs(disk.source, wanted);
  if (disk.state === 'attached' && disk.access === access) return;
  // Of a slot that does not tell its source nothing is taken out (safety E3).
  if (call.signal.aborted || disk.source === undefined) {
    const why = call.signal.aborted ? 'was given up before it had' : 'does not tell what it has in';
    throw new VbsError('DEADLINE_EXCEEDED', `${vm} ${why} ${slot}.`, { resource: attachmentId, context: { vm, slot } });
  }
  await takeBack(call, parts, wanted);
  if (failure !== undefined) throw failure;
  if (disk.state === 'attached') requireAccess(disk, wanted);
  const seconds = parts.rules.attachTimeoutMs / 1000;
  throw new VbsError('FAILED_PRECONDITION', `${vm} has not taken ${slot} within ${seconds} s, and it was taken back: does its guest run?`, {
    resource: attachmentId,
    context: { reason: 'guest-busy', vm, slot },
  });
}

/** Waits until the disk is there, or cannot come any more. Answers what is in the slot then. */
async function settle(
  call: Call,
  parts: Parts,
  wanted: WantedDisk,
  limitMs: number,
): Promise<{ readonly disk: Disk | undefined; readonly picture: Picture }> {
  let picture: Picture = { vms: [], disks: [] };
  let disk: Disk | undefined;
  await poll(call, limitMs, async () => {
    picture = await parts.tools.after(call, wanted.attachmentId, () => look(call, parts));
    disk = diskIn(picture, wanted);
    // A tool that hands its work to a daemon may be listed late.
    const isOther = disk?.source !== undefined && disk.source !== wanted.path;
    return disk?.state === 'attached' || isOther ? true : undefined;
  });
  return { disk, picture };
}

/** @throws DEADLINE_EXCEEDED: it is still there, and what lies below it must not be taken away (safety A2). */
async function takeBack(call: Call, parts: Parts, wanted: WantedDisk): Promise<void> {
  const { failure, left } = await takeOut(call, parts, wanted);
  if (left === undefined) return;
  const { vm, slot, attachmentId } = wanted;
  const told = failure === undefined ? '' : `: ${failure.message}`;
  const message = `${vm} has neither taken ${slot} nor let go of it${told}. It goes once the guest answers; then attach again.`;
  throw new VbsError('DEADLINE_EXCEEDED', message, {
    resource: attachmentId,
    context: { reason: 'guest-busy', vm, slot },
    ...(failure === undefined ? {} : { cause: failure }),
  });
}

function requireAccess(disk: Disk, { vm, slot, access, attachmentId }: WantedDisk): void {
  if (disk.access === access) return;
  throw new VbsError('FAILED_PRECONDITION', `${slot} of ${vm} is ${disk.access}, not ${access}: detach it first.`, {
    resource: attachmentId,
    context: { vm, slot, access: disk.access },
  });
}

function vanished({ vm, slot, attachmentId }: WantedDisk, { vms }: Picture): VbsError {
  const why = vms.some((one) => one.vm === vm) ? 'does not list it' : 'has no such VM any more';
  return new VbsError('INTERNAL', `The tool says that ${slot} was put into ${vm}, and the node ${why}.`, {
    resource: attachmentId,
    context: { vm, slot },
  });
}
