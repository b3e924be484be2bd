import { type Call, VbsError } from '@vbs/core';
import type { Disk } from './disks.js';
import { domidOf, type Picture } from './look.js';
import { parseDomains } from './parse-domains.js';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/** @throws NOT_FOUND: the node has no such VM. FAILED_PRECONDITION: it does not run, or is not the only one of its name. */
export async function requireVm(call: Call, tools: Tools, picture: Picture, { vm, attachmentId }: Wanted): Promise<void> {
  if (domidOf(picture, vm) !== undefined) return;
  // xend keeps VMs that do not run.
  const known = parseDomains(await tools.read(call, 'listVms')).some(({ name }) => name === vm);
  if (known) throw new VbsError('FAILED_PRECONDITION', `${vm} does not run: start it.`, { resource: attachmentId, context: { vm } });
  throw noSuchVm(vm);
}

export function noSuchVm(vm: string): VbsError {
  return new VbsError('NOT_FOUND', `This node has no VM ${JSON.stringify(vm.slice(0, 80))}.`, { resource: vm, context: { vm } });
}

/** @throws FAILED_PRECONDITION: the disk in the slot is another (`context.slot`). */
export function requireOurs(disk: Disk, wanted: Wanted): void {
  if (disk.path !== wanted.path) throw slotTaken(wanted, disk);
}

/** @throws FAILED_PRECONDITION: the VM has the source, or what a guest takes for the same disk, in another slot. */
export function requireNoOther(picture: Picture, wanted: Wanted): void {
  const { vm, vdev, path } = wanted;
  const others = picture.disks.filter((disk) => disk.domid === domidOf(picture, vm) && disk.vdev.number !== vdev.number);
  const twin = others.find((disk) => disk.vdev.disk === vdev.disk);
  if (twin !== undefined) throw slotTaken(wanted, twin);
  const same = others.find((disk) => disk.path === path);
  if (same === undefined) return;
  throw new VbsError('FAILED_PRECONDITION', `${vm} has ${path} already, as ${same.vdev.name}.`, {
    resource: wanted.attachmentId,
    context: { vm, slot: vdev.name, holder: same.vdev.name },
  });
}

export function slotTaken({ vm, vdev, attachmentId, path }: Wanted, disk: Disk): VbsError {
  const what = disk.path ?? 'a disk of which the node does not tell what it is';
  const why =
    disk.vdev.number === vdev.number
      ? `${vdev.name} of ${vm} holds ${what}, not ${path}: choose another slot.`
      : `${vm} has ${disk.vdev.name} (${what}), and its guest takes ${vdev.name} for the same disk: choose another slot.`;
  return new VbsError('FAILED_PRECONDITION', why, {
    resource: attachmentId,
    context: { vm, slot: vdev.name, holder: disk.vdev.name, holds: disk.path ?? null },
  });
}
