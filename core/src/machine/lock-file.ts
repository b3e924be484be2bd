import { closeSync, constants, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { tryLock } from '../posix/index.js';
import { withFileErrorsNow } from './file-errors.js';

/** The lock's file, locked and made where there is none; undefined while another holds it. */
export function tryLockFile(path: string): number | undefined {
  const fd = withFileErrorsNow(path, 'open', () => openLock(path));
  let locked = false;
  try {
    // An operator may have removed the file between our opening and locking it: the lock would be of a file that nobody finds.
    locked = tryLock(fd, 'exclusive') && isSameFile(fd, path);
    return locked ? fd : undefined;
  } finally {
    if (!locked) closeSync(fd);
  }
}

function openLock(path: string): number {
  const open = (): number => openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    return open();
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const folder = dirname(path);
    withFileErrorsNow(folder, 'make', () => mkdirSync(folder, { recursive: true, mode: 0o700 }));
    return open();
  }
}

/** Of a file that was just opened: the kernel answers from memory. */
function isSameFile(fd: number, path: string): boolean {
  const opened = fstatSync(fd);
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.ino === opened.ino && found.dev === opened.dev;
}
