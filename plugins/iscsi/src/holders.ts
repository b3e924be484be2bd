import { type Call, VbsError } from '@vbs/core';
import type { Disk } from './find-device.js';
import { unlessGone } from './map-error.js';
import { poll } from './poll.js';
import type { Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

/** udev opens a disk for a moment whenever its writer closes it. */
const passingLimitMs = 3_000;

/** @throws FAILED_PRECONDITION: something of this node holds the disk (`context.holders`). */
export async function requireFree(call: Call, tools: Tools, sysfs: Sysfs, disk: Disk, attachmentId: string): Promise<void> {
  let holders = await kernelHolders(call, tools, sysfs, disk);
  if (holders.length === 0) {
    await poll(call, passingLimitMs, async () => {
      holders = await openers(call, tools, disk);
      return holders.length === 0 ? true : undefined;
    });
  }
  if (holders.length === 0) return;
  const message = `/dev/${disk.disk} is held by ${holders.join(', ')}: end that, and disconnect again.`;
  throw new VbsError('FAILED_PRECONDITION', message, {
    resource: attachmentId,
    context: { reason: 'held', device: `/dev/${disk.disk}`, holders: [...holders] },
  });
}

/** Device mapper, md and the like; mounts; swap; Xen's block backend. */
async function kernelHolders(call: Call, { machine }: Tools, sysfs: Sysfs, disk: Disk): Promise<readonly string[]> {
  const folder = sysfs.diskFolder(disk);
  const list = async (path: string): Promise<readonly string[]> => (await unlessGone(machine.listDirectory(call, path))) ?? [];
  const read = async (path: string): Promise<string> => (await unlessGone(machine.readFile(call, path)))?.trim() ?? '';
  const [inside, mountinfo, swapped, guests] = await Promise.all([
    list(folder),
    read('/proc/self/mountinfo'),
    read('/proc/swaps'),
    xenDisks(list, read),
  ]);
  const partitions = inside.filter((name) => new RegExp(`^${disk.disk}p?\\d+$`).test(name));
  const parts = [{ name: disk.disk, path: folder }, ...partitions.map((name) => ({ name, path: `${folder}/${name}` }))];
  const [mounts, swaps] = [mountinfo.split('\n'), swapped.split('\n')];
  const holders: string[] = [];
  for (const { name, path } of parts) {
    const [number, above] = await Promise.all([read(`${path}/dev`), list(`${path}/holders`)]);
    holders.push(...above);
    // mountinfo(5): id, parent, major:minor, root, mount point.
    const fields = mounts.map((line) => line.split(' ')).filter(([, , device]) => device === number && number !== '');
    holders.push(...fields.map(([, , , , point]) => `the mount at ${point}`));
    if (swaps.some((line) => line.startsWith(`/dev/${name} `))) holders.push(`swap on /dev/${name}`);
    holders.push(...guests.filter((guest) => guest.device === number).map((guest) => `the Xen disk ${guest.name}`));
  }
  return [...new Set(holders)];
}

/** Disks that Xen's block backend serves; `physical_device` is hexadecimal. */
async function xenDisks(
  list: (path: string) => Promise<readonly string[]>,
  read: (path: string) => Promise<string>,
): Promise<readonly { readonly name: string; readonly device: string }[]> {
  const folder = '/sys/bus/xen-backend/devices';
  const names = (await list(folder)).filter((name) => name.startsWith('vbd-'));
  const found = [];
  for (const name of names) {
    const numbers = (await read(`${folder}/${name}/physical_device`)).split(':').map((number) => Number.parseInt(number, 16));
    found.push({ name, device: numbers.join(':') });
  }
  return found;
}

/** Processes that have the disk or a partition open, such as a hypervisor. */
async function openers(call: Call, tools: Tools, { disk }: Disk): Promise<readonly string[]> {
  // Processes end while find looks: it says 1 then.
  const { stdout, stderr } = await tools.run(call, 'findOpeners', { device: `/dev/${disk}` }, { okExitCodes: [0, 1] });
  if (/\/proc\/\d+\/fd\b.*Permission denied/.test(stderr)) {
    const advice = 'run VBS as root, or put "sudo -n" in front of the command findOpeners';
    throw new VbsError('PERMISSION_DENIED', `This user may not see which processes have /dev/${disk} open: ${advice}.`);
  }
  const pids = new Set([...stdout.matchAll(/^\/proc\/(\d+)\/fd\/\d+$/gm)].map(([, pid = '']) => pid));
  const found: string[] = [];
  for (const pid of pids) {
    const name = (await unlessGone(tools.machine.readFile(call, `/proc/${pid}/comm`)))?.trim();
    if (name !== undefined) found.push(`process ${pid} (${name})`);
  }
  return found;
}
