import { chmod, copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { guestFolder } from '../paths.js';
import { runAsRoot } from './as-root.js';

const groups = {
  ...{ root: 0, tty: 5, disk: 6, lp: 7, kmem: 15, dialout: 20, cdrom: 24, tape: 26, audio: 29, shadow: 42, video: 44, users: 100 },
  ...{ sgx: 103, kvm: 104, input: 105, render: 106, nogroup: 65534 },
};

const users = [
  'root:x:0:0:root:/root:/bin/bash',
  'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
];

const folders = [
  ...['dev', 'proc', 'sys', 'run', 'tmp', 'mnt', 'root/.ssh', 'etc/ssh', 'etc/iscsi', 'etc/lvm', 'etc/tgt', 'etc/vbs'],
  ...['var/lib/vbs', 'var/lib/vbs-lab', 'var/lib/iscsi', 'var/log', 'usr/lib/vbs-lab'],
];

export interface RootKeys {
  /** Files with the host's private key and the user's public key. */
  readonly host: string;
  readonly userPublic: string;
}

/** Makes the unpacked packages a system: users, links, the guest's scripts, keys. */
export async function configureRoot(root: string, keys: RootKeys): Promise<void> {
  const at = (path: string): string => join(root, path);
  const link = async (target: string, path: string): Promise<void> => {
    await rm(at(path), { recursive: true, force: true });
    await symlink(target, at(path));
  };
  for (const folder of folders) await mkdir(at(folder), { recursive: true });
  await link('/run', 'var/run');
  await link('/run/lock', 'var/lock');
  await link('/proc/mounts', 'etc/mtab');
  await link('gawk', 'usr/bin/awk');
  await link('dash', 'usr/bin/sh');

  const files: Readonly<Record<string, string>> = {
    'etc/passwd': `${users.join('\n')}\n`,
    'etc/group': Object.entries(groups)
      .map(([name, id]) => `${name}:x:${id}:\n`)
      .join(''),
    'etc/hostname': 'lab\n',
    'etc/hosts': '127.0.0.1 localhost\n',
    'etc/nsswitch.conf': ['passwd', 'group', 'hosts', 'protocols', 'services'].map((name) => `${name}: files\n`).join(''),
    'etc/machine-id': '',
    // bash reads both for a command that comes over SSH.
    'etc/bash.bashrc': '',
    'root/.bashrc': '',
  };
  for (const [path, text] of Object.entries(files)) await writeFile(at(path), text);

  const copies: readonly (readonly [string, string, number])[] = [
    ['boot', 'usr/lib/vbs-lab/boot', 0o755],
    ['identity', 'usr/lib/vbs-lab/identity', 0o755],
    ['inittab', 'etc/inittab', 0o644],
    ['fstab', 'etc/fstab', 0o644],
    ['lvm.conf', 'etc/lvm/lvm.conf', 0o644],
    ['sshd_config', 'etc/ssh/sshd_config', 0o644],
  ];
  for (const [from, to, mode] of copies) {
    await copyFile(join(guestFolder, from), at(to));
    await chmod(at(to), mode);
  }
  await copyFile(keys.host, at('etc/ssh/ssh_host_ed25519_key'));
  await chmod(at('etc/ssh/ssh_host_ed25519_key'), 0o600);
  await copyFile(keys.userPublic, at('root/.ssh/authorized_keys'));
  for (const path of ['root', 'root/.ssh']) await chmod(at(path), 0o700);
  await runAsRoot('ldconfig', ['-r', root]);
}

/** The folders that a guest keeps over a reboot: those that its fstab mounts from the state disk. */
export function keptFolders(table: string): readonly string[] {
  const lines = table.split('\n').filter((line) => !line.startsWith('#'));
  return lines.flatMap((line) => /^\S*\/kept(\/\S+)/.exec(line)?.[1] ?? []);
}

/** Copies what a server keeps on its own disk to where the guest's fstab mounts it from. */
export async function copyKept(root: string, target: string): Promise<void> {
  const folders = keptFolders(await readFile(join(guestFolder, 'fstab'), 'utf8'));
  for (const folder of folders) await cp(join(root, folder), join(target, 'kept', folder), { recursive: true });
}
