import { copyFile, mkdir, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { imageFiles } from '../paths.js';
import { drawPort, drawSegment } from '../ports.js';
import { guestFiles } from '../qemu/arguments.js';
import { endProcess, isRunning, startQemu } from '../qemu/process.js';
import { Qmp } from '../qemu/qmp.js';
import { guestError, waitForBoot } from '../qemu/wait-for-boot.js';
import { firstCommand, guestMachine, writeSshConfig } from '../ssh-access.js';

export const dataBytes = 2 * 1024 * 1024 * 1024;

const migrateLimitMs = 120_000;

/** Puts a guest's disks into its folder, as they are at first: the data disk empty, the state disk without an identity. */
export async function makeDisks(image: string, folder: string): Promise<void> {
  await writeFile(join(folder, guestFiles.data), '', { mode: 0o600 });
  await truncate(join(folder, guestFiles.data), dataBytes);
  await copyFile(join(image, imageFiles.state), join(folder, guestFiles.state));
}

/** What brings the tools into the guest's memory before its state is saved. */
const warmUp = `
lvs && tgtadm --help >/dev/null && iscsiadm --version >/dev/null && aoe-stat >/dev/null 2>&1; vblade 2>/dev/null
for tool in stat tee mkdir env head tr sed grep flock setsid blkid mkfs.ext4 mount dd; do "$tool" --version >/dev/null 2>&1; done
true`;

/** Boots the image once and saves the guest's state into the image's folder. @throws UNAVAILABLE: with the guest's console. */
export async function saveState(image: string, work: string): Promise<void> {
  const name = 'builder';
  const folder = join(work, name);
  await mkdir(folder, { mode: 0o700 });
  await makeDisks(image, folder);
  const sshPort = await drawPort();
  const machine = { name, image, sshPort, segment: drawSegment() };
  const process = await startQemu({ machine, folder, from: 'kernel', endsWithUs: true });
  try {
    await waitForBoot({ name, folder, process, from: 0 });
    const configFile = join(folder, 'ssh_config');
    await writeSshConfig(configFile, image, [machine]);
    const ssh = guestMachine(name, configFile, folder);
    try {
      await firstCommand(ssh, ['bash', '-c', warmUp], () => isRunning(process));
    } catch (error) {
      throw await guestError('UNAVAILABLE', name, 'booted and takes no commands', folder, error);
    } finally {
      await ssh.close();
    }
    const qmp = await Qmp.connect(process.pid, 5_000);
    try {
      await migrate(qmp);
    } finally {
      qmp.close();
    }
  } finally {
    await endProcess(process);
  }
  await rename(join(folder, imageFiles.saved), join(image, imageFiles.saved));
}

async function migrate(qmp: Qmp): Promise<void> {
  await qmp.execute('stop');
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 8 * 1024 ** 3 });
  await qmp.execute('migrate', { uri: `exec:cat >${imageFiles.saved}` });
  for (const deadline = Date.now() + migrateLimitMs; ; await pause(50)) {
    const { status } = (await qmp.execute('query-migrate')) as { readonly status?: string };
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled') throw new VbsError('INTERNAL', `QEMU could not save the guest's state: ${status}.`);
    if (Date.now() > deadline)
      throw new VbsError('DEADLINE_EXCEEDED', `QEMU did not save the guest's state within ${migrateLimitMs / 1000} s.`);
  }
}
