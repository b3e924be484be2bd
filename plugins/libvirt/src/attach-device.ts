import { type Call, toVbsError, VbsError } from '@vbs/core';
import { lookAgain, lookAtOne, type Vm } from './look.js';
import { readSize } from './read-size.js';
import { type Held, heldIn, isOurs, noSuchVm, requireNoOther, requireNotElsewhere, requireNotSaved } from './refusals.js';
import type { WantedDisk } from './requests.js';
import { defineSecret, removeSecret } from './secrets.js';
import { takeOut } from './take-out.js';
import type { Tools } from './tools.js';
import { diskXml } from './write-xml.js';

/**
 * Puts a disk into a VM: into its QEMU if it runs, and into its definition if it has one, by one command. A disk that the definition alone
 * has is brought to the running VM too.
 *
 * @throws NOT_FOUND: no such VM. FAILED_PRECONDITION: the slot is taken; the source is missing, in use, or not what it must be; the VM cannot
 * take a disk there. UNAVAILABLE: the server of the disk, or libvirt, does not answer.
 */
export async function attachDevice(call: Call, tools: Tools, wanted: WantedDisk): Promise<void> {
  const vm = await lookAtOne(call, tools, wanted.vm);
  if (vm === undefined) throw noSuchVm(wanted.vm);
  requireNoOther(vm, wanted);
  requireNotElsewhere(vm, wanted);
  requireNotSaved(vm, wanted);
  const command = missingOf(vm, wanted);
  requireSameAccess(heldIn(vm, wanted), wanted);
  if (command === 'attachConfig' && vm.running) throw goingOut(wanted);
  if (command === undefined) return;
  requireController(vm, wanted);
  await putIn(call, tools, wanted, command);
}

type Missing = 'attach' | 'attachLive' | 'attachConfig';

/** The command that brings what is not there; undefined: all is there. */
function missingOf(vm: Vm, wanted: WantedDisk): Missing | undefined {
  const held = heldIn(vm, wanted);
  const live = vm.live !== undefined && !isOurs(held.live, wanted);
  const config = vm.config !== undefined && !isOurs(held.config, wanted);
  if (live) return config ? 'attach' : 'attachLive';
  return config ? 'attachConfig' : undefined;
}

async function putIn(call: Call, tools: Tools, wanted: WantedDisk, command: Missing): Promise<void> {
  const { attachmentId, chap } = wanted;
  let failure: VbsError | undefined;
  try {
    failure = await tools.withFile(call, attachmentId, async (put) => {
      if (chap !== undefined) await defineSecret(call, tools, attachmentId, chap, put);
      const file = await put(diskXml(wanted, tools.settings));
      return await tools.change(call, attachmentId, command, { vmId: wanted.vm, file });
    });
  } catch (error) {
    failure = toVbsError(error);
  }
  const vm = await lookAgain(call, tools, wanted);
  if (vm !== undefined && missingOf(vm, wanted) === undefined) {
    await verify(call, tools, wanted, vm);
    return;
  }
  const { live, config } = vm === undefined ? {} : heldIn(vm, wanted);
  const isThereInPart = isOurs(live, wanted) || isOurs(config, wanted);
  if (chap !== undefined && !isThereInPart) await removeSecret(call, tools, attachmentId);
  if (vm !== undefined) requireNoOther(vm, wanted);
  throw isThereInPart ? halfDone(wanted, failure) : tools.nothingChanged(failure ?? vanished(wanted));
}

/** Compares what the VM has now with what it must be; what is not it is taken out again. */
async function verify(call: Call, tools: Tools, wanted: WantedDisk, there: Vm): Promise<void> {
  if (!there.running) return;
  const { vm, slot, sizeBytes, source, attachmentId } = wanted;
  const size = await readSize(call, tools, wanted);
  if (size === sizeBytes) return;
  const { left } = await takeOut(call, tools, wanted, there);
  if (left === undefined && wanted.chap !== undefined) await removeSecret(call, tools, attachmentId);
  const outcome = left === undefined ? 'It was taken out again.' : 'The guest has not let go of it yet.';
  throw new VbsError(
    left === undefined ? 'FAILED_PRECONDITION' : 'DEADLINE_EXCEEDED',
    `${source.key} is not the volume that ${slot.name} of ${vm} must be: it has ${size} bytes, not ${sizeBytes}. ${outcome}`,
    { resource: attachmentId, context: { reason: 'wrong-device', vm, slot: slot.name } },
  );
}

/** @throws FAILED_PRECONDITION: the disk is there, to be read or written otherwise. */
function requireSameAccess({ live, config }: Held, { vm, slot, access, attachmentId }: WantedDisk): void {
  const other = [live, config].find((disk) => disk !== undefined && disk.access !== access);
  if (other === undefined) return;
  throw new VbsError('FAILED_PRECONDITION', `${slot.name} of ${vm} has the disk already, ${other.access}: detach it first.`, {
    resource: attachmentId,
    context: { vm, slot: slot.name },
  });
}

/** So does a disk stand whose guest was asked to let go of it; nothing tells whether it was, and nothing takes the request back. */
function goingOut({ vm, slot, attachmentId }: WantedDisk): VbsError {
  const message = `${slot.name} of ${vm} has the disk already, and not in the definition: it is on its way out. Detach it first.`;
  return new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context: { reason: 'guest-busy', vm, slot: slot.name } });
}

/** libvirt would add a controller of its own choice, for which most guests have no driver. */
function requireController({ hasScsi }: Vm, { vm, slot, attachmentId }: WantedDisk): void {
  if (slot.bus !== 'scsi' || hasScsi) return;
  const message = `${vm} has no SCSI controller for ${slot.name}: add <controller type='scsi' model='virtio-scsi'/> to it, or use a vdX slot.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context: { reason: 'no-controller', vm, slot: slot.name } });
}

function vanished({ vm, slot, attachmentId }: WantedDisk): VbsError {
  const message = `virsh says that ${slot.name} was put into ${vm}, and libvirt has no such disk.`;
  return new VbsError('INTERNAL', message, { resource: attachmentId, context: { vm, slot: slot.name } });
}

function halfDone({ vm, slot, attachmentId }: WantedDisk, cause: VbsError | undefined): VbsError {
  const told = cause === undefined ? '' : `: ${cause.message}`;
  const message = `${slot.name} of ${vm} is there in part, in its QEMU or in its definition alone${told}. Attach again, or detach.`;
  return new VbsError('DEADLINE_EXCEEDED', message, {
    resource: attachmentId,
    context: { ...cause?.context, vm, slot: slot.name },
    ...(cause === undefined ? {} : { cause }),
  });
}
