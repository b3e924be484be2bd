import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { posix } from 'node:path';
import type { Call } from '../contract/call.js';
import { isSecret, type Secret } from '../contract/secret.js';
import { isVbsError, VbsError } from '../errors.js';
import { unlock } from '../posix/index.js';
import { tryLockFile } from './lock-file.js';
import type { WriteOptions } from './machine.js';
import { readSmallBytes, requireAbsolute, writeSmallFile } from './small-files.js';
import { waitUntil } from './wait-until.js';

/** How long a write may wait for others of the same file, in milliseconds. */
export const longestWaitForWriteMs = 20_000;

const mostBytes = 1024 * 1024;

/**
 * The lock under which a file is written, in the folder `files` of a machine's state directory: the same on the machine of this process
 * and over SSH. There are 256, however many files are written; two files that share one only wait for each other.
 */
export function writeLockName(path: string): string {
  return `${createHash('sha256').update(posix.normalize(path)).digest('hex').slice(0, 2)}.lock`;
}

/** @throws OUT_OF_RANGE: `ifStill`, or what is to be written by it, is more than `readFile` answers. */
export function requireSwappable(path: string, text: string | Secret, ifStill: string | null | undefined): void {
  if (ifStill === undefined) return;
  const revealed = isSecret(text) ? text.reveal() : text;
  for (const [field, value] of Object.entries({ ifStill: ifStill ?? '', text: revealed })) {
    if (Buffer.byteLength(value) <= mostBytes) continue;
    const message = `Cannot write ${path}: ${field} must be at most ${mostBytes} bytes where ifStill is given.`;
    throw new VbsError('OUT_OF_RANGE', message, { context: { field, path, maxBytes: mostBytes } });
  }
}

export function changedError(path: string, context: object = {}): VbsError {
  const message = `${path} holds another text than the one that it was read with, and nothing was written. Read it again and repeat.`;
  return new VbsError('ABORTED', message, { context: { path, ...context } });
}

export function lockedError(path: string, context: object = {}): VbsError {
  const message = `Another write of ${path} did not end in time, and nothing was written.`;
  return new VbsError('ABORTED', message, { context: { path, ...context } });
}

/** Writes a small file whole while no other process of VBS on this machine writes it; see {@link WriteOptions.ifStill}. */
export async function writeUnderLock(
  call: Call,
  folder: string,
  path: string,
  text: string | Secret,
  { mode, ifStill }: WriteOptions,
): Promise<void> {
  requireAbsolute(path);
  requireSwappable(path, text, ifStill);
  const lock = posix.join(folder, writeLockName(path));
  const fd = await waitUntil(() => tryLockFile(lock), { signal: call.signal, limitMs: longestWaitForWriteMs, longestPauseMs: 20 });
  if (fd === undefined) throw lockedError(path);
  try {
    if (ifStill !== undefined && !(await holds(path, ifStill))) throw changedError(path);
    await writeSmallFile(path, text, mode);
  } finally {
    unlock(fd);
    closeSync(fd);
  }
}

async function holds(path: string, expected: string | null): Promise<boolean> {
  const bytes = Buffer.from(expected ?? '');
  try {
    const found = await readSmallBytes(path, bytes.length);
    return expected !== null && found.equals(bytes);
  } catch (error) {
    // What is larger is another text.
    if (isVbsError(error) && error.code === 'OUT_OF_RANGE') return false;
    // A part of the path that is missing is told by the write.
    if (isVbsError(error) && error.code === 'NOT_FOUND') return expected === null;
    throw error;
  }
}
