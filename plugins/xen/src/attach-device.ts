import { type Call, VbsError } from '@vbs/core';
import { type Disk, xenbus } from './disks.js';
import { diskIn, hasDevice, isHeld, look, lookAfter, type Picture } from './look.js';
import { poll } from './poll.js';
import { noSuchVm, requireNoOther, requireOurs, requireVm, slotTaken } from './refusals.js';
import type { WantedDisk } from './requests.js';
import { takeOut } from './take-out.js';
import type { Tools } from './tools.js';
import { differencesOf } from './verify-disk.js';

/** The hotplug script may take 40 s, and the backend 10 s. */
const commandLimitMs = 52_000;

/**
 * Puts a device of Dom0 into a VM, and answers when its guest has it. An entry that an attempt before has left is taken out first.
 *
 * @throws NOT_FOUND: no such VM. FAILED_PRECONDITION: the slot is taken; the device is in use, missing, or not what it must be; the guest
 * does not take it, and it was taken back. DEADLINE_EXCEEDED: neither does the guest take it nor let it go.
 */
export async function attachDevice(call: Call, tools: Tools, wanted: WantedDisk): Promise<void> {
  const picture = await look(call, tools);
  await requireVm(call, tools, picture, wanted);
  requireNoOther(picture, wanted);
  const there = diskIn(picture, wanted);
  if (there !== undefined) {
    requireOurs(there, wanted);
    const leftover = await leftoverIn(call, tools, wanted, picture, there);
    if (leftover === 'the disk') return;
    if (leftover !== undefined) {
      requireOurs(leftover, wanted);
      const { failure, left } = await takeOut(call, tools, wanted);
      if (left !== undefined) throw stays(wanted, left, failure);
    }
  }
  await putIn(call, tools, wanted);
}

/** What an attempt before has left in the slot; that may well become the disk, and another's disk may come there meanwhile. */
async function leftoverIn(
  call: Call,
  tools: Tools,
  wanted: WantedDisk,
  picture: Picture,
  disk: Disk,
): Promise<'the disk' | Disk | undefined> {
  const { vm, vdev, access, attachmentId } = wanted;
  const refused = (what: string): VbsError =>
    new VbsError('FAILED_PRECONDITION', `${vdev.name} of ${vm} ${what}: detach it first.`, {
      resource: attachmentId,
      context: { vm, slot: vdev.name },
    });
  if (isHeld(picture, disk)) {
    if (!disk.online || disk.state === xenbus.closing) throw refused('is on its way out, and the guest has not let go of it');
    if (disk.access !== access) throw refused(`is ${disk.access}`);
    return 'the disk';
  }
  const isComing = disk.online && !disk.refused && disk.state <= xenbus.connected && disk.guestState < xenbus.connected;
  if (!isComing || disk.access !== access || !hasDevice(picture, disk)) return disk;
  // A guest that was slow, or a tool that a process before this one began.
  const { disk: now, isConnected } = await connected(call, tools, wanted);
  const isRight = isConnected && now !== undefined && (await differencesOf(call, tools, now, wanted)).length === 0;
  return isRight ? 'the disk' : now;
}

async function putIn(call: Call, tools: Tools, wanted: WantedDisk): Promise<void> {
  const { vm, vdev, path, access, attachmentId } = wanted;
  const values = { vmId: vm, vmDev: vdev.name, vmmDev: path, mode: access === 'read-only' ? 'r' : 'w' };
  const failure = await tools.change(call, 'attach', values, { guard: attachmentId, timeLimitMs: commandLimitMs });
  if (failure !== undefined && call.signal.aborted) throw failure;
  const { disk, picture, isConnected } = await connected(call, tools, wanted, failure === undefined ? undefined : 0);
  if (disk === undefined) throw failure ?? vanished(wanted, picture);
  if (disk.path !== path) throw slotTaken(wanted, disk);
  const differences = isConnected ? await differencesOf(call, tools, disk, wanted) : [];
  if (isConnected && differences.length === 0) return;
  if (call.signal.aborted)
    throw new VbsError('DEADLINE_EXCEEDED', `${vm} was given up before its guest had ${vdev.name}.`, { resource: attachmentId });
  if (failure?.context.reason === 'slot-taken') {
    throw new VbsError('ABORTED', `Somebody else is putting ${path} into ${vdev.name} of ${vm}.`, { resource: attachmentId });
  }
  const { left, failure: stuck } = await takeOut(call, tools, wanted);
  if (left !== undefined) throw stays(wanted, left, stuck);
  if (failure !== undefined) throw failure;
  if (differences.length > 0) throw wrongDevice(wanted, disk, differences);
  throw notTaken(wanted, disk, tools.settings.connectTimeoutSeconds);
}

/** Waits until the guest has the disk. Answers what is in the slot then. */
async function connected(
  call: Call,
  tools: Tools,
  wanted: WantedDisk,
  limitMs = tools.settings.connectTimeoutSeconds * 1000,
): Promise<{ readonly disk: Disk | undefined; readonly picture: Picture; readonly isConnected: boolean }> {
  let picture = await lookAfter(call, tools, wanted);
  let disk = diskIn(picture, wanted);
  const isConnected = (): boolean =>
    disk?.path === wanted.path && disk.state === xenbus.connected && disk.guestState === xenbus.connected && disk.online;
  const isDecided = (): boolean => isConnected() || disk === undefined || disk.path !== wanted.path || disk.refused;
  if (isDecided()) return { disk, picture, isConnected: isConnected() };
  await poll(call, limitMs, async () => {
    picture = await lookAfter(call, tools, wanted);
    disk = diskIn(picture, wanted);
    return isDecided() ? true : undefined;
  });
  return { disk, picture, isConnected: isConnected() };
}

function vanished({ vm, vdev, attachmentId }: WantedDisk, { domids }: Picture): VbsError {
  if (!domids.has(vm)) return noSuchVm(vm);
  const message = `The tool says that ${vdev.name} was put into ${vm}, and Xen has no such disk.`;
  return new VbsError('INTERNAL', message, { resource: attachmentId, context: { vm, slot: vdev.name } });
}

function notTaken({ vm, vdev, attachmentId }: WantedDisk, { state, guestState }: Disk, seconds: number): VbsError {
  const message = `The guest of ${vm} has not taken ${vdev.name} within ${seconds} s: is it paused, or without its Xen disk driver (xen-blkfront)?`;
  const context = { reason: 'guest-busy', vm, slot: vdev.name, state, guestState };
  return new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context });
}

function wrongDevice({ vm, vdev, path, attachmentId }: WantedDisk, disk: Disk, differences: readonly string[]): VbsError {
  const message = `${path} is not the volume that ${vdev.name} of ${vm} must be: it ${differences.join('; it ')}. It was taken out again.`;
  const context = { reason: 'wrong-device', vm, slot: vdev.name, device: disk.device ?? null };
  return new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context });
}

/** What the caller must not take for unchanged (safety A2): below it lies a device that Dom0's backend may hold. */
function stays({ vm, vdev, attachmentId }: WantedDisk, { state }: Disk, cause: VbsError | undefined): VbsError {
  const told = cause === undefined ? '' : `: ${cause.message}`;
  const message = `The guest of ${vm} has neither taken ${vdev.name} nor let go of it${told}. It goes once the guest answers; then attach again.`;
  return new VbsError('DEADLINE_EXCEEDED', message, {
    resource: attachmentId,
    context: { reason: 'guest-busy', vm, slot: vdev.name, state },
    ...(cause === undefined ? {} : { cause }),
  });
}
