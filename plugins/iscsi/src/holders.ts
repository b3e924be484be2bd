import { type Call, type Look, VbsError } from '@vbs/core';
import type { Disk } from './find-device.js';
import { unlessGone } from './map-error.js';
import { poll } from './poll.js';
import { diskFolder, type Seen } from './sysfs.js';
import type { Tools } from './tools.js';

/** udev opens a disk for a moment whenever its writer closes it. */
const passingLimitMs = 3_000;

const mountinfo = '/proc/self/mountinfo';
const swaps = '/proc/swaps';
const xenDevices = '/sys/bus/xen-backend/devices/vbd-*/physical_device';

/** What tells, besides the disk's own folder, who holds a disk in the kernel. */
export const holderPaths: readonly string[] = [mountinfo, swaps, xenDevices];

/**
 * `seen` is of this moment, with the holders of the session's disks and the {@link holderPaths}.
 * @throws FAILED_PRECONDITION: something of this node holds the disk (`context.holders`).
 */
export async function requireFree(call: Call, tools: Tools, seen: Seen, disk: Disk, attachmentId: string): Promise<void> {
  let holders = kernelHolders(seen.look, disk);
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
function kernelHolders(look: Look, disk: Disk): readonly string[] {
  const folder = diskFolder(disk);
  const partition = new RegExp(`^${disk.disk}p?\\d+$`);
  const inside = look.matching(`${folder}/*/dev`).map(({ parts: [name = ''] }) => name);
  const parts = [
    { name: disk.disk, path: folder },
    ...inside.filter((name) => partition.test(name)).map((name) => ({ name, path: `${folder}/${name}` })),
  ];
  // mountinfo(5): id, parent, major:minor, root, mount point.
  const mounts = (look.text(mountinfo) ?? '').split('\n').map((line) => line.split(' '));
  const swapped = (look.text(swaps) ?? '').split('\n');
  const guests = xenDisks(look);
  const holders: string[] = [];
  for (const { name, path } of parts) {
    const number = look.text(`${path}/dev`)?.trim() ?? '';
    holders.push(...look.matching(`${path}/holders/*`).map(({ parts: [above = ''] }) => above));
    const fields = mounts.filter(([, , device]) => device === number && number !== '');
    holders.push(...fields.map(([, , , , point]) => `the mount at ${point}`));
    if (swapped.some((line) => line.startsWith(`/dev/${name} `))) holders.push(`swap on /dev/${name}`);
    holders.push(...guests.filter((guest) => guest.device === number).map((guest) => `the Xen disk ${guest.name}`));
  }
  return [...new Set(holders)];
}

/** Disks that Xen's block backend serves; `physical_device` is hexadecimal. */
function xenDisks(look: Look): readonly { readonly name: string; readonly device: string }[] {
  return look.matching(xenDevices).map(({ path, parts: [id] }) => {
    const numbers = (look.text(path)?.trim() ?? '').split(':').map((number) => Number.parseInt(number, 16));
    return { name: `vbd-${id}`, device: numbers.join(':') };
  });
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
