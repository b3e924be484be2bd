import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Logger, VbsError } from '@vbs/core';
import { tryLock } from '@vbs/core/posix';
import { syncDirectory } from './sync-directory.js';
import { throwIfAborted } from './throw-if-aborted.js';

/** A file that is not whole yet, locked by this process for as long as it is open. */
export interface PartialFile {
  readonly path: string;
  readonly handle: FileHandle;
}

const partialName = /\.[0-9a-f]{16}\.partial$/;
const mostTries = 8;

/** Makes an empty file in `folder` that no sweep of another process takes away while this one has it open. */
export async function openPartial(folder: string, label: string): Promise<PartialFile> {
  for (let tries = 0; tries < mostTries; tries++) {
    const file = path.join(folder, `${label}.${randomBytes(8).toString('hex')}.partial`);
    const handle = await open(file, 'wx+', 0o600);
    let ours = false;
    try {
      // A sweep may come between open and lock: it then holds the lock, or has taken the name away already.
      ours = tryLock(handle.fd, 'exclusive') && (await handle.stat()).nlink > 0;
      if (ours) return { path: file, handle };
    } finally {
      if (!ours) await handle.close();
    }
  }
  throw new VbsError('UNAVAILABLE', `${folder} is swept again and again by other processes; try again later.`, { context: { folder } });
}

/** Takes a partial file's name away and closes it. What could not be removed is left to the next sweep, and logged. */
export async function discardPartial({ path: file, handle }: PartialFile, log: Logger): Promise<void> {
  try {
    await rm(file, { force: true });
  } catch (error) {
    log.warn(
      { path: file, reason: (error as Error).message },
      'a partial file could not be removed; it goes when the backend is opened again',
    );
  } finally {
    await handle.close();
  }
}

export interface Publication {
  /** Where partial files lie, on the same file system as `target`. */
  readonly folder: string;
  readonly target: string;
  readonly mode: number;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly fill: (file: PartialFile) => Promise<void>;
}

/**
 * Makes a file that has its name only when it is whole and on the medium; it never replaces one.
 * An abort or a failure leaves nothing behind; a crash, only what the next sweep takes.
 * @throws ABORTED: aborted, or the name was taken meanwhile.
 */
export async function publish({ folder, target, mode, signal, log, fill }: Publication): Promise<void> {
  const partial = await openPartial(folder, path.basename(target));
  try {
    await fill(partial);
    await partial.handle.chmod(mode);
    await partial.handle.sync();
    throwIfAborted(signal);
    await linkNew(partial.path, target);
  } finally {
    await discardPartial(partial, log);
  }
  await syncDirectory(path.dirname(target));
}

const noLinks = new Set(['EPERM', 'EOPNOTSUPP', 'ENOSYS']);

/** link(2), unlike rename(2), cannot overwrite what another process published. */
async function linkNew(existing: string, target: string): Promise<void> {
  try {
    await link(existing, target);
  } catch (cause) {
    const { code: errno = '' } = cause as NodeJS.ErrnoException;
    const context = { path: target, errno };
    if (errno === 'EEXIST') {
      throw new VbsError('ABORTED', `${target} was made by another process at the same moment; try again.`, { context, cause });
    }
    if (!noLinks.has(errno)) throw cause;
    const message = `${target} lies on a file system without hard links (${errno}): configure a directory on another one.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context, cause });
  }
}

/** Removes the partial files that no live process has open; answers how many. */
export async function sweepPartials(folder: string, log: Logger): Promise<number> {
  let swept = 0;
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    if (!partialName.test(name)) {
      log.warn({ path: file }, 'a file that this plugin did not make lies among the partial files; it is left alone');
    } else if (await sweepOne(file)) {
      swept++;
    }
  }
  if (swept > 0) log.info({ folder, swept }, 'partial files of interrupted calls were removed');
  return swept;
}

async function sweepOne(file: string): Promise<boolean> {
  let handle: FileHandle;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    // Its owner was faster.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    if (!tryLock(handle.fd, 'exclusive')) return false;
    await rm(file, { force: true });
    return true;
  } finally {
    await handle.close();
  }
}
