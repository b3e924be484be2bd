import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { runTool } from './tools.js';

/** The programs that the lab runs on this machine, with the Debian package of each. */
const tools: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  mke2fs: 'e2fsprogs',
  cpio: 'cpio',
  xz: 'xz-utils',
  depmod: 'kmod',
  ssh: 'openssh-client',
  'ssh-keygen': 'openssh-client',
  setpriv: 'util-linux',
  find: 'findutils',
};

async function isInstalled(tool: string): Promise<boolean> {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].filter(Boolean);
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, tool), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/**
 * Sees to it that the programs are there: as root it installs those that are not.
 * @throws FAILED_PRECONDITION: some are missing, and this user may not install them; it names the command that does.
 */
export async function ensureHostTools(say: (line: string) => void): Promise<void> {
  const names = Object.keys(tools);
  const there = await Promise.all(names.map(isInstalled));
  const missing = [...new Set(names.filter((_, place) => !there[place]).map((name) => tools[name] ?? name))];
  if (missing.length === 0) return;
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  if (process.getuid?.() !== 0)
    throw new VbsError('FAILED_PRECONDITION', `The lab needs more of this machine: run \`sudo apt-get ${install.join(' ')}\`.`, {
      context: { packages: missing },
    });
  say(`installing ${missing.join(', ')}`);
  await runTool('apt-get', ['-qq', '-o', 'Acquire::Retries=3', 'update'], { limitMs: 300_000 });
  await runTool('apt-get', ['-qq', '-o', 'Acquire::Retries=3', ...install], { limitMs: 600_000 });
}
