import type { Domu } from '@vbs/lab';
import { untilThere } from './xen-disks.js';

const at = '/mnt/volume';
const disk = '/dev/xvdb';
const mount = `mkdir -p ${at}; mount -t ext4 ${disk} ${at}`;
const write = (name: string): string => `yes ${name} | head -c 1m >${at}/${name}; sync; sha256sum <${at}/${name}`;
const sha256 = (text: string): string => text.trim().slice(0, 64);

/** Scripts end at the first command that fails. */
const run = async (domu: Domu, script: string): Promise<string> => (await domu.run(`set -e\n${script}`, { timeLimitMs: 60_000 })).stdout;

/** Makes a file system on xvdb of a DomU, which stays mounted, and writes a file of 1 MiB; answers its SHA-256. */
export async function makeFileSystem(domu: Domu, name: string): Promise<string> {
  return sha256(await run(domu, `${untilThere('xvdb')}\nmke2fs -F ${disk} >/dev/null\n${mount}\n${write(name)}`));
}

export async function mountDisk(domu: Domu): Promise<void> {
  await run(domu, `${untilThere('xvdb')}\n${mount}`);
}

export async function writeFile(domu: Domu, name: string): Promise<string> {
  return sha256(await run(domu, write(name)));
}

/** What is in a file of the mounted file system, past the guest's page cache: its SHA-256. */
export async function readFile(domu: Domu, name: string): Promise<string> {
  return sha256(await run(domu, `echo 3 >/proc/sys/vm/drop_caches; sha256sum <${at}/${name}`));
}

export async function filesOf(domu: Domu): Promise<readonly string[]> {
  return (await run(domu, `ls ${at} | grep -v lost+found || true`)).split('\n').filter((line) => line !== '');
}

export async function unmountDisk(domu: Domu): Promise<void> {
  await run(domu, `umount ${at}`);
}
