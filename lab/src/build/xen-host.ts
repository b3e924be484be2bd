import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { guestFolder, imageFiles } from '../paths.js';
import { runTool } from '../tools.js';
import { makeInitrd } from './disk-images.js';

/** The DomUs that have a configuration in Dom0's /etc/xen. */
export const domuNames = ['domu1', 'domu2'] as const;

/** What a DomU's initrd loads: its disks and interfaces, and a file system. */
const domuModules = ['crc32c_generic', 'xen-blkfront', 'xen-netfront', 'ext4'];

export interface XenHost {
  readonly root: string;
  readonly release: string;
  readonly work: string;
  /** The folder of the image. */
  readonly folder: string;
}

/** Makes a configured root Dom0's, and takes the hypervisor out of it, unpacked: QEMU's multiboot loader cannot. */
export async function makeXenHost({ root, release, work, folder }: XenHost): Promise<void> {
  const xen = (await readdir(join(root, 'boot'))).find((name) => /^xen-[\d.]+-amd64\.gz$/.test(name));
  if (xen === undefined) throw new VbsError('INTERNAL', 'No package holds Xen: lab/guest/xen/packages.txt must name one.');
  await writeFile(join(folder, imageFiles.hypervisor), await runTool('gzip', ['-dc', join(root, 'boot', xen)]));
  for (const script of ['boot-kind', 'domu-run']) {
    const target = join(root, 'usr/lib/vbs-lab', script);
    await copyFile(join(guestFolder, 'xen', script), target);
    await chmod(target, 0o755);
  }
  // Without it nothing keeps what a DomU says.
  await writeFile(join(root, 'etc/default/xen'), 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"\n');
  for (const made of ['var/log/xen/console', 'var/lib/xen', 'usr/lib/vbs-lab/domu']) await mkdir(join(root, made), { recursive: true });
  const domu = join(root, 'usr/lib/vbs-lab/domu');
  await copyFile(join(folder, imageFiles.kernel), join(domu, imageFiles.kernel));
  const target = join(domu, imageFiles.initrd);
  await makeInitrd({ root, release, init: 'xen/domu-init', modules: domuModules, work: join(work, 'domu-initrd'), target });
  const pattern = await readFile(join(guestFolder, 'xen/domu.cfg'), 'utf8');
  for (const [place, name] of domuNames.entries())
    await writeFile(join(root, 'etc/xen', `${name}.cfg`), pattern.replaceAll('@NAME@', name).replaceAll('@NUMBER@', String(place + 1)));
}
