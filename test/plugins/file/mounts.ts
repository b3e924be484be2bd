import { execFile } from 'node:child_process';
import { constants, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { mebibyte, newDirectory } from './fixture.js';

const run = promisify(execFile);

/** Why this process can mount nothing; empty when it can. */
export const cannotMount = await whyNot(async (directory) => {
  await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'vbs-test', directory]);
  await run('umount', [directory]);
});

/** Why this machine has no XFS with reflinks to mount; empty when it has. */
export const noXfs = cannotMount || (await whyNot(async () => void (await run('mkfs.xfs', ['-V']))));

/** Whether files in the temporary directory can share blocks. */
export const temporaryFilesReflink = (() => {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'vbs-file-'));
  try {
    writeFileSync(path.join(directory, 'source'), Buffer.alloc(64 * 1024, 1));
    copyFileSync(path.join(directory, 'source'), path.join(directory, 'target'), constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true });
  }
})();

async function whyNot(act: (directory: string) => Promise<unknown>): Promise<string> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'vbs-file-'));
  try {
    await act(directory);
    return '';
  } catch (error) {
    return (error as Error).message.trim().replaceAll(/\s+/g, ' ').replaceAll(directory, 'DIR');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function mount(t: ExecutionContext, options: readonly string[]): Promise<string> {
  const directory = path.join(await newDirectory(t), 'mounted');
  await mkdir(directory);
  await run('mount', [...options, directory]);
  t.teardown(async () => {
    if ((await readFile('/proc/self/mounts', 'utf8')).includes(` ${directory} `)) await unmount(directory);
  });
  return directory;
}

/** A file system of `size` bytes in memory, without reflinks, until the test ends. */
export function mountTmpfs(t: ExecutionContext, size: number): Promise<string> {
  return mount(t, ['-t', 'tmpfs', '-o', `size=${size}`, 'vbs-test']);
}

/** An XFS with reflinks in a file, until the test ends. */
export async function mountXfs(t: ExecutionContext): Promise<string> {
  const image = path.join(await newDirectory(t), 'xfs.img');
  await writeFile(image, '');
  await truncate(image, 320 * mebibyte);
  await run('mkfs.xfs', ['-q', '-m', 'reflink=1', image]);
  return mount(t, ['-o', 'loop', image]);
}

/** Tries for a second: a child that another test is just starting may hold copies of our closed files until it runs. */
export async function remount(directory: string, mode: 'ro' | 'rw'): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await run('mount', ['-o', `remount,${mode}`, directory]);
      return;
    } catch (error) {
      if (tries >= 20) throw error;
      await setTimeout(50);
    }
  }
}

/** Takes a mounted file system out of sight at once, whoever still holds it. */
export async function unmount(directory: string): Promise<void> {
  await run('umount', ['--lazy', directory]);
}
