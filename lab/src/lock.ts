import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { tryLock, unlock } from '@vbs/core/posix';

/** A lock that the kernel frees when its process ends, in whatever way. */
export interface Lock {
  release(): Promise<void>;
}

/** Takes the lock of a file if it is free. */
export async function takeLock(path: string): Promise<Lock | undefined> {
  await mkdir(dirname(path), { recursive: true });
  const file = await open(path, 'a', 0o600);
  let taken = false;
  try {
    taken = tryLock(file.fd, 'exclusive');
  } finally {
    if (!taken) await file.close();
  }
  if (!taken) return undefined;
  return {
    async release() {
      unlock(file.fd);
      await file.close();
    },
  };
}

/** Acts under the lock of a file, which is waited for. @throws DEADLINE_EXCEEDED: another process holds it for too long. */
export async function withLock<T>(path: string, limitMs: number, act: () => Promise<T>, onWait?: () => void): Promise<T> {
  const deadline = Date.now() + limitMs;
  let lock = await takeLock(path);
  if (lock === undefined) onWait?.();
  while (lock === undefined) {
    if (Date.now() > deadline)
      throw new VbsError('DEADLINE_EXCEEDED', `Another process holds ${path} for longer than ${limitMs / 1000} s: see \`fuser ${path}\`.`);
    await pause(100);
    lock = await takeLock(path);
  }
  try {
    return await act();
  } finally {
    await lock.release();
  }
}
