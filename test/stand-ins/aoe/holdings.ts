import { appendFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const waysToHold = [
  'process',
  'partition in a process',
  'mount',
  'file system of many devices',
  'swap',
  'dm',
  'loop',
  'xen',
] as const;
export type How = (typeof waysToHold)[number];

let drawn = 4_000;

async function put(path: string, text: string): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
}

/** A line more in a file, and later without it. */
async function line(path: string, text: string): Promise<() => Promise<void>> {
  await appendFile(path, text);
  return async () => writeFile(path, (await readFile(path, 'utf8')).replace(text, ''));
}

async function opened(root: string, target: string): Promise<() => Promise<void>> {
  const process = join(root, 'proc', String(++drawn));
  await put(join(process, 'comm'), 'qemu-system-x86\n');
  await mkdir(join(process, 'fd'));
  await symlink(target, join(process, 'fd', '7'));
  return () => rm(process, { recursive: true });
}

async function numberOf(root: string, key: string): Promise<string> {
  return (await readFile(join(root, `sys/block/etherd!${key}/dev`), 'utf8')).trim();
}

/** How a node shows that something uses a device; each answers how that ends. */
export const holdings: Readonly<Record<How, (root: string, key: string) => Promise<() => Promise<void>>>> = {
  process: (root, key) => opened(root, `/dev/etherd/${key}`),
  'partition in a process': (root, key) => opened(root, `/dev/etherd/${key}p1`),
  mount: async (root, key) =>
    line(join(root, 'proc/self/mountinfo'), `90 22 ${await numberOf(root, key)} / /mnt/${key} rw - ext4 /dev/etherd/${key} rw\n`),
  'file system of many devices': (root, key) =>
    line(join(root, 'proc/self/mountinfo'), `91 22 0:45 / /mnt/${key} rw - btrfs /dev/etherd/${key} rw\n`),
  swap: (root, key) => line(join(root, 'proc/swaps'), `/dev/etherd/${key}                  partition\t1024\t\t0\t\t-2\n`),
  dm: async (root, key) => {
    const path = join(root, `sys/block/etherd!${key}/holders/dm-3`);
    await put(path, '');
    return () => rm(path, { force: true });
  },
  loop: async (root, key) => {
    const path = join(root, 'sys/block', `loop${++drawn}`);
    await put(join(path, 'loop/backing_file'), `/dev/etherd/${key}\n`);
    return () => rm(path, { recursive: true });
  },
  xen: async (root, key) => {
    const path = join(root, 'sys/bus/xen-backend/devices', `vbd-3-${++drawn}`);
    const number = (await numberOf(root, key)).split(':').map((part) => Number(part).toString(16));
    await put(join(path, 'physical_device'), `${number.join(':')}\n`);
    return () => rm(path, { recursive: true });
  },
};
