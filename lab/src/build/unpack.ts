import { mkdir, stat, symlink } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { execa } from 'execa';
import { runTool } from '../tools.js';
import { isListed } from './lists.js';
import type { Package } from './packages.js';

const unwanted = [
  ...['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian', 'usr/share/bash-completion'],
  ...['usr/share/zsh', 'lib/udev/hwdb.d', 'usr/lib/python3', 'usr/share/i18n', 'usr/share/perl5'],
].map((path) => `--exclude=./${path}`);

/** The kernel's trees that the wanted modules lie in: all of them would be 390 MB. */
const moduleTrees = [
  ...['drivers/md', 'drivers/target', 'drivers/virtio', 'drivers/block', 'drivers/xen', 'drivers/scsi/*.ko', 'drivers/scsi/device_handler'],
  ...[
    'drivers/char/hw_random',
    'drivers/net/*.ko',
    'drivers/net/xen-netback',
    'fs/fuse',
    'fs/ext4',
    'fs/jbd2',
    'fs/mbcache.ko',
    'fs/xfs',
    'fs/overlayfs',
  ],
  ...[
    'fs/configfs',
    'net/802',
    'net/8021q',
    'net/llc',
    'net/bridge',
    'net/core',
    'net/sched',
    'block',
    'mm',
    'lib',
    'crypto',
    'arch/x86/crypto',
  ],
];

const unpackLimitMs = 180_000;

async function extract(archive: string, root: string, words: readonly string[]): Promise<void> {
  const limits = { timeout: unpackLimitMs, stdin: 'ignore' } as const;
  try {
    await execa('dpkg-deb', ['--fsys-tarfile', archive], { ...limits, buffer: { stdout: false } }).pipe(
      'tar',
      ['-x', '-C', root, '--no-same-owner', '--keep-directory-symlink', ...words],
      { timeout: unpackLimitMs },
    );
  } catch (error) {
    throw new VbsError('INTERNAL', `${archive} could not be unpacked.`, { cause: error });
  }
}

/** Runs `act` for each, as many at once as there are processors. */
async function atOnce<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** Unpacks the packages into a root folder, without their scripts. Answers the kernel's release. */
export async function unpackRoot(
  archives: string,
  packages: readonly Package[],
  leftOut: readonly string[],
  root: string,
): Promise<string> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(root, 'usr', folder), { recursive: true });
    await symlink(`usr/${folder}`, join(root, folder));
  }
  const kernelPackage = packages.find(({ name }) => /^linux-image-\d/.test(name));
  if (kernelPackage === undefined) throw new VbsError('INTERNAL', 'No package holds a kernel: lab/guest/packages.txt must name one.');
  const release = kernelPackage.name.replace('linux-image-', '');
  const wanted = packages.filter((one) => one !== kernelPackage && !isListed(one.name, leftOut));
  const sized = await Promise.all(wanted.map(async ({ file }) => ({ file, size: (await stat(join(archives, file))).size })));
  const largestFirst = sized.sort((a, b) => b.size - a.size).map(({ file }) => file);
  const trees = moduleTrees.map((tree) => `./lib/modules/${release}/kernel/${tree}`);
  const lists = ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'].map((name) => `./lib/modules/${release}/${name}`);
  await atOnce([kernelPackage.file, ...largestFirst], (file) =>
    file === kernelPackage.file
      ? extract(join(archives, file), root, ['--wildcards', `./boot/vmlinuz-${release}`, ...lists, ...trees])
      : extract(join(archives, file), root, unwanted),
  );
  await runTool('depmod', ['-b', root, release]);
  return release;
}
