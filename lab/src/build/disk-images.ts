import { copyFile, mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { guestFolder } from '../paths.js';
import { runTool } from '../tools.js';
import { runAsRoot } from './as-root.js';
import { moduleClosure, parseModulesDep } from './modules.js';

const rootBytes = 700 * 1024 * 1024;
const stateBytes = 64 * 1024 * 1024;

/** Writes a folder as a read-only root file system, without mounting anything. */
export async function makeRootImage(root: string, target: string): Promise<void> {
  await writeFile(target, '');
  await truncate(target, rootBytes);
  const features = ['-O', '^has_journal,^metadata_csum,^resize_inode', '-E', 'lazy_itable_init=1,nodiscard,root_owner=0:0', '-m0'];
  await runAsRoot('mke2fs', ['-q', '-F', '-t', 'ext4', ...features, '-N', '30000', '-d', root, target], { limitMs: 120_000 });
}

/** Writes the disk on which a guest keeps what a server keeps over a reboot, with what it keeps there at first. */
export async function makeStateImage(kept: string, target: string): Promise<void> {
  await writeFile(target, '');
  await truncate(target, stateBytes);
  await runAsRoot('mke2fs', [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-L',
    'vbs-lab-state',
    '-E',
    'lazy_itable_init=0,root_owner=0:0',
    '-m0',
    '-d',
    kept,
    target,
  ]);
}

export interface Initrd {
  readonly root: string;
  readonly release: string;
  /** The script that is the first program, of lab/guest. */
  readonly init: string;
  /** What it loads. */
  readonly modules: readonly string[];
  readonly work: string;
  readonly target: string;
}

/** What a guest's kernel begins with: it reaches the image. ext4 finds crc32c by name alone. */
export const firstInitrd: Pick<Initrd, 'init' | 'modules'> = {
  init: 'initrd-init',
  modules: ['crc32c_generic', 'virtio_pci', 'virtio_blk', 'ext4', 'overlay'],
};

/** Writes an initrd: busybox, modules in the order in which they are loaded, and the script that does. */
export async function makeInitrd({ root, release, init, modules: wanted, work, target }: Initrd): Promise<void> {
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'newroot', 'modules']) await mkdir(join(work, folder), { recursive: true });
  await copyFile(join(root, 'bin/busybox'), join(work, 'bin/busybox'));
  await symlink('busybox', join(work, 'bin/sh'));
  await copyFile(join(guestFolder, init), join(work, 'init'));
  const modules = join(root, 'lib/modules', release);
  const table = parseModulesDep(await readFile(join(modules, 'modules.dep'), 'utf8'));
  for (const [place, path] of moduleClosure(table, wanted).paths.entries())
    await copyFile(join(modules, path), join(work, 'modules', `${String(place).padStart(2, '0')}-${basename(path)}`));
  const names = await execa('find', ['.'], { cwd: work, timeout: 10_000 });
  const archive = await runTool('cpio', ['-o', '-H', 'newc', '--quiet', '-R', '0:0'], {
    cwd: work,
    input: Buffer.from(`${names.stdout}\n`),
  });
  await writeFile(target, archive);
}
