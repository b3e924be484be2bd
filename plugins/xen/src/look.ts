import { setTimeout as pause } from 'node:timers/promises';
import { type AttachedDevice, type Call, toVbsError, unlessCode, VbsError } from '@vbs/core';
import { type Disk, disksOf, domidsOf, xenbus } from './disks.js';
import { parseStore } from './parse-store.js';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/** xenstore is listed node by node: a disk on its way in or out may be told in part. */
const looksAtMost = 4;
const pauseMs = 50;
const blockDevices = '/sys/dev/block';

/** A node at one moment: who is there, and who has which disk. */
export interface Picture {
  readonly disks: readonly Disk[];
  readonly domids: ReadonlyMap<string, readonly number[]>;
  /** Dom0's block devices, as `major:minor`; undefined where its kernel has no sysfs. */
  readonly devices: ReadonlySet<string> | undefined;
}

/** One look at all VMs, with one command. */
export async function look(call: Call, tools: Tools): Promise<Picture> {
  for (let looks = 1; ; looks++) {
    const [text, devices] = await Promise.all([
      tools.read(call, 'readStore'),
      unlessCode('NOT_FOUND', tools.machine.listDirectory(call, blockDevices)),
    ]);
    const store = parseStore(text);
    const disks = disksOf(store);
    if (looks === looksAtMost || disks.every(({ whole }) => whole)) {
      return { disks, domids: domidsOf(store), devices: devices && new Set(devices) };
    }
    await pause(pauseMs);
  }
}

/** As `look`, after something was changed: that nobody can tell what there is now is no word about what was done (safety A1). */
export async function lookAfter(call: Call, tools: Tools, { attachmentId, vm }: Wanted): Promise<Picture> {
  try {
    const picture = await look(call, tools);
    domidOf(picture, vm);
    return picture;
  } catch (error) {
    const { message, context } = toVbsError(error);
    throw new VbsError('DEADLINE_EXCEEDED', `${attachmentId} may have been changed, and nobody could look: ${message}`, {
      resource: attachmentId,
      context,
      cause: error,
    });
  }
}

/** A disk is there for its guest: taken, not yet let go, and with a device behind it. */
export function isHeld(picture: Picture, disk: Disk): boolean {
  const { connected, closing, reconfiguring, reconfigured } = xenbus;
  const taken: readonly number[] = [connected, closing, reconfiguring, reconfigured];
  return taken.includes(disk.state) && taken.includes(disk.guestState) && hasDevice(picture, disk);
}

/**
 * Whether the device that a disk was connected to is still there. A SCSI disk whose session has ended is not, though the guest's disk
 * stays as it was; its number is not given again as long as the backend holds it.
 */
export function hasDevice({ devices }: Picture, { device, sectors }: Disk): boolean {
  if (sectors === 0) return false;
  return devices === undefined || device === undefined || devices.has(device);
}

/** What a slot of a VM holds. @throws FAILED_PRECONDITION: several domains bear the VM's name. */
export function diskIn(picture: Picture, { vm, vdev }: Pick<Wanted, 'vm' | 'vdev'>): Disk | undefined {
  const domid = domidOf(picture, vm);
  return picture.disks.find((disk) => disk.domid === domid && disk.vdev.number === vdev.number);
}

/** @throws FAILED_PRECONDITION: several domains bear the name. */
export function domidOf({ domids }: Picture, vm: string): number | undefined {
  const [domid, other] = domids.get(vm) ?? [];
  if (other === undefined) return domid;
  throw new VbsError('FAILED_PRECONDITION', `The domains ${domid} and ${other} are both called ${vm}: rename or end one of them.`, {
    context: { vm, domids: [domid, other] },
  });
}

/** Every disk of every VM, as the contract tells it. */
export function attachedDevices(picture: Picture): readonly AttachedDevice[] {
  const names = new Map([...picture.domids].flatMap(([name, domids]) => domids.map((domid) => [domid, name] as const)));
  return picture.disks.map((disk) => ({
    // A domain that is being ended loses its name before its disks.
    vm: names.get(disk.domid) ?? `(domain ${disk.domid})`,
    slot: disk.vdev.name,
    ...(disk.path === undefined ? {} : { source: { kind: 'block', path: disk.path } }),
    access: disk.access,
    state: isHeld(picture, disk) ? 'attached' : 'changing',
  }));
}
