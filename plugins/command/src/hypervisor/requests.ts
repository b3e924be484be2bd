import { type Access, type DeviceRequest, isId, VbsError } from '@vbs/core';
import type { ListedVm, Picture } from './look.js';
import type { Slots } from './slots.js';

/** One request, each part in the form that a tool may be given. */
export interface Wanted {
  readonly attachmentId: string;
  readonly vm: string;
  readonly slot: string;
  readonly path: string;
}

export interface WantedDisk extends Wanted {
  readonly access: Access;
  readonly sizeBytes: number;
  readonly serial: string;
}

/** @throws INVALID_ARGUMENT: `context.field` names what no tool may be given. UNSUPPORTED: the source is a connection. */
export function wantedOf(slots: Slots, { attachmentId, vm, slot, source }: DeviceRequest): Wanted {
  if (!isId('attachment', attachmentId)) throw illegal('attachmentId', `${JSON.stringify(attachmentId.slice(0, 80))} is no attachment id`);
  const canonical = slots.canonical(slot);
  if (canonical !== slot) throw illegal('slot', `${JSON.stringify(slot)} is not how canonicalSlot writes ${canonical}`);
  if (source.kind !== 'block') {
    const message = 'A hypervisor of patterns opens no protocol itself: it takes block devices of its node.';
    throw new VbsError('UNSUPPORTED', message, { context: { field: 'source' } });
  }
  // A tool that takes options behind the path, separated by commas, would take those of the path for them.
  if (!/^\/[^\s,]+$/u.test(source.path)) {
    throw illegal('source.path', `${JSON.stringify(source.path.slice(0, 100))} is no absolute path without commas and white space`);
  }
  return { attachmentId, vm, slot, path: source.path };
}

/** @throws NOT_FOUND. */
export function requireVm({ vms }: Picture, { vm }: Pick<Wanted, 'vm'>): ListedVm {
  const found = vms.find((one) => one.vm === vm);
  if (found === undefined) throw noSuchVm(vm);
  return found;
}

export function noSuchVm(vm: string): VbsError {
  return new VbsError('NOT_FOUND', `This node has no VM ${JSON.stringify(vm.slice(0, 80))}.`, { resource: vm, context: { vm } });
}

/** @throws FAILED_PRECONDITION: disks come and go only while it is stopped. */
export function requireChangeable({ vm, running }: ListedVm, hotplug: boolean): void {
  if (hotplug || !running) return;
  throw new VbsError('FAILED_PRECONDITION', `${vm} runs, and without hotplug its disks are changed only while it is stopped.`, {
    context: { vm },
  });
}

/** @throws FAILED_PRECONDITION: the slot holds another source, or one that is not told. */
export function requireOurs(source: string | undefined, wanted: Wanted): void {
  const { vm, slot, path, attachmentId } = wanted;
  if (source === path) return;
  const holds = source ?? 'a disk of which the node does not tell what it is';
  throw new VbsError('FAILED_PRECONDITION', `${slot} of ${vm} holds ${holds}, not ${path}: choose another slot.`, {
    resource: attachmentId,
    context: { vm, slot, holds: source ?? null },
  });
}

/** @throws FAILED_PRECONDITION: the VM has the source in another slot. */
export function requireNoOther({ disks }: Picture, { vm, slot, path, attachmentId }: Wanted): void {
  const same = disks.find((disk) => disk.vm === vm && disk.slot !== slot && disk.source === path);
  if (same === undefined) return;
  throw new VbsError('FAILED_PRECONDITION', `${vm} has ${path} already, in ${same.slot}.`, {
    resource: attachmentId,
    context: { vm, slot, holder: same.slot },
  });
}

function illegal(field: string, message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${message}.`, { context: { field } });
}
