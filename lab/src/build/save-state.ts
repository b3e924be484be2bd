import { copyFile, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import type { GuestKind } from '../kinds.js';
import { imageFiles, imageLink } from '../paths.js';
import { drawPort, drawSegment } from '../ports.js';
import { guestFiles } from '../qemu/arguments.js';
import { endProcess, isRunning, startQemu } from '../qemu/process.js';
import { Qmp } from '../qemu/qmp.js';
import { guestError, waitForBoot } from '../qemu/wait-for-boot.js';
import { firstCommand, guestMachine, labCall, writeSshConfig } from '../ssh-access.js';
import { warmUps } from './warm-up.js';

export const dataBytes = 2 * 1024 * 1024 * 1024;

const warmUpLimitMs = 180_000;
const migrateLimitMs = 120_000;

/** Puts what a guest starts from into its folder: the data disk empty, the state disk without an identity, and its image. */
export async function makeDisks(image: string, folder: string): Promise<void> {
  await writeFile(join(folder, guestFiles.data), '', { mode: 0o600 });
  await truncate(join(folder, guestFiles.data), dataBytes);
  await copyFile(join(image, imageFiles.state), join(folder, guestFiles.state));
  await rm(join(folder, imageLink), { force: true });
  await symlink(image, join(folder, imageLink));
}

/** Boots the image once and saves the guest's state into the image's folder. @throws UNAVAILABLE: with the guest's console. */
export async function saveState(image: string, kind: GuestKind, work: string): Promise<void> {
  const name = 'builder';
  const folder = join(work, name);
  await mkdir(folder, { mode: 0o700 });
  await makeDisks(image, folder);
  const sshPort = await drawPort();
  const machine = { name, kind, image, sshPort, segment: drawSegment() };
  const process = await startQemu({ machine, folder, from: 'kernel', endsWithUs: true });
  try {
    await waitForBoot({ name, folder, process, from: 0 });
    const configFile = join(folder, 'ssh_config');
    await writeSshConfig(configFile, [machine]);
    const ssh = guestMachine(name, configFile, folder);
    try {
      await firstCommand(ssh, ['true'], () => isRunning(process));
      await ssh.run(labCall(), ['bash', '-c', warmUps[kind]], { timeLimitMs: warmUpLimitMs });
    } catch (error) {
      throw await guestError('UNAVAILABLE', name, 'booted and does not do what it should', folder, error);
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
