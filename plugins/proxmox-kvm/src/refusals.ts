import { type Call, VbsError } from '@vbs/core';
import type { Driver } from './driver.js';
import type { Wanted } from './requests.js';
import { isPluggable } from './slot.js';
import type { SlotState, Vm } from './vm.js';

export function noSuchVm(vm: string): VbsError {
  return new VbsError('NOT_FOUND', `This node has no VM ${JSON.stringify(vm.slice(0, 80))}.`, { resource: vm, context: { vm } });
}

export function holds({ current, next }: SlotState): string {
  return (current ?? next)?.path ?? (current ?? next)?.text ?? '';
}

/** @throws FAILED_PRECONDITION: the slot holds another source, or is to hold it (`context.slot`). */
export function requireOurs(state: SlotState, wanted: Wanted): void {
  if (holds(state) !== wanted.path) throw slotTaken(wanted, state);
}

/** @throws FAILED_PRECONDITION: the VM has the source in another slot. */
export function requireNoOther({ slots }: Vm, { vm, slot, path, attachmentId }: Wanted): void {
  for (const [holder, { current, next }] of slots) {
    if (holder === slot || ![current?.path, next?.path].includes(path)) continue;
    throw new VbsError('FAILED_PRECONDITION', `VM ${vm} has ${path} already, as ${holder}.`, {
      resource: attachmentId,
      context: { vm, slot, holder },
    });
  }
}

export function slotTaken({ vm, slot, path, attachmentId }: Wanted, state: SlotState): VbsError {
  const told = holds(state);
  const verb = state.current === undefined ? 'is to hold' : 'holds';
  return new VbsError('FAILED_PRECONDITION', `${slot} of VM ${vm} ${verb} ${told}, not ${path}: choose another slot.`, {
    resource: attachmentId,
    context: { vm, slot, holds: told },
  });
}

/** Why a change is not begun where a running VM would not see it. */
export function runs({ vm, slot, attachmentId }: Wanted): VbsError {
  return new VbsError(
    'FAILED_PRECONDITION',
    `VM ${vm} runs, and its disks come and go only while it is stopped (hotplug is false): stop it.`,
    {
      resource: attachmentId,
      context: { reason: 'running', vm, slot },
    },
  );
}

/** Why a change of a running VM stays to come. */
export function notPlugged({ vm, slot, attachmentId }: Wanted, { hotplug, vmid }: Vm, cause: VbsError | undefined): VbsError {
  const why =
    cause?.message ??
    (isPluggable(slot)
      ? `hotplug of VM ${vmid} is ${JSON.stringify(hotplug ?? '1')}, which leaves disks out (qm set ${vmid} --hotplug disk,network,usb); or stop the VM`
      : 'ide and sata disks come and go only while the VM is stopped: choose a scsi or virtio slot, or stop the VM');
  return new VbsError('FAILED_PRECONDITION', `${slot} of VM ${vm} cannot be changed while the VM runs: ${why}. It was taken back.`, {
    resource: attachmentId,
    context: { reason: 'not-plugged', vm, slot, hotplug: hotplug ?? null },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** @throws FAILED_PRECONDITION: a VM of the node has the source. */
export async function requireNoHolder(call: Call, driver: Driver, { vm, path, attachmentId }: Wanted): Promise<void> {
  for (const { vmid, slots } of await driver.look(call)) {
    for (const [slot, { current, next }] of slots) {
      if (![current?.path, next?.path].includes(path)) continue;
      throw new VbsError(
        'FAILED_PRECONDITION',
        `The VM ${vm} is not there, and VM ${vmid} has ${path} as ${slot}: was it made anew, or given another UUID?`,
        { resource: attachmentId, context: { vm, holder: vmid, slot } },
      );
    }
  }
}
