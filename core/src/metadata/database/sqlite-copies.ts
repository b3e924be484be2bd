import { open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Knex } from 'knex';
import { isVbsError, VbsError } from '../../errors.js';
import type { DatabaseCopy } from './dialect.js';
import { syncFolder } from './sqlite-file.js';

const keptCopies = 3;

export interface CopyRequest {
  readonly filename: string;
  /** The migration that the copy is made before. */
  readonly number: number;
  /** Of the database's clock, in milliseconds. */
  readonly now: number;
  /** A knex on the database, and one that reads a copy. */
  readonly source: Knex;
  verify(copy: string): Promise<readonly string[]>;
}

/** The copies of a database file made before migrations, the newest first. */
export async function listCopies(filename: string): Promise<readonly string[]> {
  const prefix = `${basename(filename)}.before-`;
  const folder = dirname(filename);
  const timeOf = (name: string) => /^\d+-(\d{8}T\d{9}Z)$/.exec(name.slice(prefix.length))?.[1] ?? '';
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && timeOf(name) !== '');
  return names.sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1)).map((name) => join(folder, name));
}

/**
 * Writes what is committed to `FILE.before-NUMBER-TIME` (0600), which has this name only when it is whole, verified and synced.
 * @throws RESOURCE_EXHAUSTED: no room for it.
 */
export async function makeCopy(request: CopyRequest): Promise<DatabaseCopy> {
  const { filename, number, now, source, verify } = request;
  const time = new Date(now).toISOString().replace(/[-:.]/g, '');
  const target = `${filename}.before-${number}-${time}`;
  const partial = `${target}.partial`;
  try {
    // An empty file is what VACUUM INTO accepts; made here, it has its mode before its content.
    await (await open(partial, 'wx', 0o600)).close();
    await source.raw('VACUUM INTO ?', [partial]);
    const faults = await verify(partial);
    if (faults.length > 0) {
      throw new VbsError(
        'FAILED_PRECONDITION',
        `the copy of ${filename} before migration ${number} is not whole: ${faults[0]}; nothing was changed`,
        {
          context: { database: filename, faults: faults.slice(0, 10) },
        },
      );
    }
    await sync(partial);
    await rename(partial, target);
    await syncFolder(dirname(filename));
  } catch (error) {
    await rm(partial, { force: true });
    throw await withoutRoom(request, error);
  }
  return {
    filename: target,
    discard: () => rm(target, { force: true }),
    prune: async () => {
      for (const old of (await listCopies(filename)).slice(keptCopies)) await rm(old, { force: true });
    },
  };
}

async function withoutRoom({ filename, number }: CopyRequest, error: unknown): Promise<unknown> {
  const isFull = (isVbsError(error) && error.code === 'RESOURCE_EXHAUSTED') || (error as NodeJS.ErrnoException).code === 'ENOSPC';
  if (!isFull) return error;
  const folder = dirname(filename);
  const { bavail, bsize } = await statfs(folder);
  return new VbsError(
    'RESOURCE_EXHAUSTED',
    `no room in ${folder} for the copy of the database before migration ${number}: free as much as the database takes, and start again; nothing was changed`,
    { context: { database: filename, freeBytes: bavail * bsize }, cause: error },
  );
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
