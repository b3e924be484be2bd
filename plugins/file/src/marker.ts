import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Logger, VbsError } from '@vbs/core';
import { publish } from './partial-file.js';

/** The name of the file that says whose a pool is. */
export const markerName = 'vbs-store.json';
const format = 1;

/** Whose a pool is: one backend of one store. */
export interface Owner {
  readonly storeId: string;
  /** The backend's path of names in the store's configuration. */
  readonly backend: string;
}

/**
 * The owner that a directory is marked with; null without a marker.
 * @throws FAILED_PRECONDITION: the marker cannot be understood.
 */
export async function readMarker(directory: string): Promise<Owner | null> {
  const file = path.join(directory, markerName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  return parseMarker(text, file);
}

function parseMarker(text: string, file: string): Owner {
  const context = { path: file };
  let marker: unknown;
  try {
    marker = JSON.parse(text);
  } catch (cause) {
    throw new VbsError('FAILED_PRECONDITION', `${file} is damaged: put back the copy of it from your backup.`, { context, cause });
  }
  const { format: found, storeId, backend } = (marker ?? {}) as Record<string, unknown>;
  if (typeof found === 'number' && found > format) {
    throw new VbsError('FAILED_PRECONDITION', `${file} was written by a newer VBS (format ${found}): use that version.`, { context });
  }
  if (found !== format || typeof storeId !== 'string' || typeof backend !== 'string') {
    throw new VbsError('FAILED_PRECONDITION', `${file} is no marker of VBS: put back the copy of it from your backup.`, { context });
  }
  return { storeId, backend };
}

/** Marks a directory. @throws ABORTED: another process has marked it at the same moment. */
export function writeMarker(directory: string, partialFolder: string, owner: Owner, log: Logger): Promise<void> {
  return publish({
    folder: partialFolder,
    target: path.join(directory, markerName),
    mode: 0o600,
    signal: new AbortController().signal,
    log,
    fill: ({ handle }) => handle.writeFile(`${JSON.stringify({ format, ...owner }, null, 2)}\n`),
  });
}

/** @throws FAILED_PRECONDITION: the marker names another store or another backend. */
export function requireOwner(directory: string, expected: Owner, found: Owner): void {
  const context = { directory, storeId: found.storeId, backend: found.backend };
  if (found.storeId !== expected.storeId) {
    const message = `${directory} belongs to another store (${found.storeId}, its backend ${found.backend}), not to ${expected.storeId}: configure another directory, or start the store that owns it.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context });
  }
  if (found.backend !== expected.backend) {
    const message = `${directory} is the pool of this store's backend ${found.backend}, not of ${expected.backend}: give each backend a directory of its own, or its old name back.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context });
  }
}
