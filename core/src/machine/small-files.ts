import { constants } from 'node:fs';
import { lstat, open, readdir, stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { isSecret, type Secret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import { fileError, withFileErrors } from './file-errors.js';
import { writeWhole } from './write-whole.js';

const defaultMaxBytes = 1024 * 1024;

/** @throws INVALID_ARGUMENT: the path is not absolute, or holds a NUL. */
export function requireAbsolute(path: string): void {
  if (isAbsolute(path) && !path.includes('\0')) return;
  const message = `The path ${JSON.stringify(path)} is not legal: give an absolute path without NUL.`;
  throw new VbsError('INVALID_ARGUMENT', message, { context: { field: 'path' } });
}

/**
 * Reads a small text file, also of /proc and /sys, whose sizes say 0. Regular files only: opening or reading a dead device
 * would hold one of Node's four file system threads for ever (safety B4), and a pipe would too.
 */
export async function readSmallFile(path: string, maxBytes = defaultMaxBytes): Promise<string> {
  return (await readSmallBytes(path, maxBytes)).toString('utf8');
}

/** As {@link readSmallFile}, as it stands. */
export async function readSmallBytes(path: string, maxBytes: number): Promise<Buffer> {
  requireAbsolute(path);
  return await withFileErrors(path, 'read', async () => {
    const found = await stat(path);
    if (!found.isFile() && !found.isDirectory()) {
      throw new VbsError('FAILED_PRECONDITION', `Cannot read ${path}: it is no regular file.`, { context: { path } });
    }
    const bytes = await readUpTo(path, maxBytes + 1);
    if (bytes.length <= maxBytes) return bytes;
    throw new VbsError('OUT_OF_RANGE', `${path} is larger than the ${maxBytes} bytes that may be read.`, { context: { path, maxBytes } });
  });
}

/** The start of a regular file, which may be of any size. */
export async function readStart(path: string, bytes: number): Promise<string> {
  return await withFileErrors(path, 'read', async () => (await readUpTo(path, bytes)).toString('utf8'));
}

async function readUpTo(path: string, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    // Most of them hold a few bytes.
    for (let length = 0, size = 2 * 1024; length < most; size = Math.min(size * 2, 64 * 1024)) {
      const part = Buffer.allocUnsafe(Math.min(size, most - length));
      const { bytesRead } = await file.read(part, 0, part.length, null);
      if (bytesRead === 0) break;
      parts.push(part.subarray(0, bytesRead));
      length += bytesRead;
    }
  } finally {
    await file.close();
  }
  return Buffer.concat(parts);
}

export async function writeSmallFile(path: string, text: string | Secret, mode = 0o600): Promise<void> {
  requireAbsolute(path);
  await withFileErrors(path, 'write', () => writeWhole(path, isSecret(text) ? text.reveal() : text, mode));
}

export async function listNames(path: string): Promise<readonly string[]> {
  requireAbsolute(path);
  return (await withFileErrors(path, 'list', () => readdir(path))).sort();
}

/** `present`: the path leads to something. `absent`: not even a link is there. */
export async function isPath(path: string, state: 'present' | 'absent'): Promise<boolean> {
  try {
    await (state === 'present' ? stat(path) : lstat(path));
    return state === 'present';
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return state === 'absent';
    throw fileError(error, path, 'look for');
  }
}

/** The nearest folder above a path that exists, where a change would be told first. */
export async function nearestFolder(path: string): Promise<string> {
  for (let folder = path; ; ) {
    const parent = folder.slice(0, folder.lastIndexOf('/')) || '/';
    if (parent === '/' || (await isPath(parent, 'present'))) return parent;
    folder = parent;
  }
}
