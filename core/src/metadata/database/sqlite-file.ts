import { access, chmod, constants, mkdir, open, stat } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import { VbsError } from '../../errors.js';

/**
 * Makes the database's folder (0700) and file (0600) where they are missing and sees that both can be written, before SQLite does:
 * SQLite would open a write-protected file for reading and say so only at the first write. SQLite gives `-wal` and `-shm` the mode of
 * the file.
 *
 * A file that is there is never opened here: closing it would drop the POSIX locks of every SQLite connection that this process has
 * on it (sqlite.org/howtocorrupt.html, section 2.2).
 */
export async function prepareSqliteFile(filename: string): Promise<void> {
  if (!isAbsolute(filename)) throw new TypeError(`the database's filename must be an absolute path: "${filename}"`);
  const folder = dirname(filename);
  await makeFolder(folder);
  await createFile(filename, folder);
  const found = await stat(filename);
  if (!found.isFile()) {
    throw new VbsError('FAILED_PRECONDITION', `the database ${filename} is no file: configure another path, or move what is there away`, {
      context: { database: filename },
    });
  }
  for (const path of [filename, `${filename}-wal`, `${filename}-shm`]) await closeToOthers(path);
  await access(filename, constants.R_OK | constants.W_OK);
  await access(folder, constants.W_OK | constants.X_OK);
}

/** One by one: mkdir's own `recursive` says ENOENT of a file system that is mounted read-only. */
async function makeFolder(folder: string): Promise<void> {
  if (await exists(folder)) return;
  await makeFolder(dirname(folder));
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

async function createFile(filename: string, folder: string): Promise<void> {
  try {
    await (await open(filename, 'wx', 0o600)).close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    // Where nothing can be made, open(2) says so also of a file that is there.
    if (await exists(filename)) return;
    throw error;
  }
  await syncFolder(folder);
}

async function closeToOthers(path: string): Promise<void> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) await chmod(path, mode & 0o600);
  } catch (error) {
    // SQLite takes -wal and -shm away when the last connection closes.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Makes names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
