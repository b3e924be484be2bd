import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ErrorCode } from '../errors.js';
import { VbsError } from '../errors.js';
import { tryLock, unlock } from '../posix/index.js';

/** The process that owns an instance. */
export interface Owner {
  readonly pid: number;
  /** Where its server answers, if it has one. */
  readonly endpoint?: string;
}

/** The ownership of one instance, held until `release` or the end of this process, whatever ended it. */
export interface OwnerLock {
  release(): Promise<void>;
}

// Plain descriptors: a FileHandle that nobody refers to is closed by the garbage collector, and the lock with it.
const open = promisify(fs.open);
const close = promisify(fs.close);
const truncate = promisify(fs.ftruncate);

const codes: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOSPC: 'RESOURCE_EXHAUSTED',
  EDQUOT: 'RESOURCE_EXHAUSTED',
};

function asVbsError(error: unknown, file: string): VbsError {
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new VbsError(
    codes[errno] ?? 'INTERNAL',
    `the lock of an instance's owner could not be made: ${errno} on ${file}; this process must be able to write there`,
    { context: { path: file }, cause: error },
  );
}

function lockFile(stateDirectory: string, instance: string): string {
  return path.join(stateDirectory, 'owners', `${encodeURIComponent(instance)}.lock`);
}

/**
 * Makes this process the owner of an instance, by a lock that the kernel frees when the process ends (safety F1).
 * Answers null when another process, or another store of this one, owns it.
 * @throws PERMISSION_DENIED, RESOURCE_EXHAUSTED: the state directory cannot be written.
 */
export async function takeOwnership(stateDirectory: string, instance: string, endpoint?: string): Promise<OwnerLock | null> {
  const file = lockFile(stateDirectory, instance);
  let fd: number;
  try {
    await fs.promises.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    // Appending opens without emptying: the content is the owner's, who may be another.
    fd = await open(file, 'a+', 0o600);
  } catch (error) {
    throw asVbsError(error, file);
  }
  let locked = false;
  try {
    locked = tryLock(fd, 'exclusive');
    if (locked) {
      const owner: Owner = { pid: process.pid, ...(endpoint === undefined ? {} : { endpoint }) };
      await truncate(fd, 0);
      fs.writeSync(fd, `${JSON.stringify(owner)}\n`);
    }
  } catch (error) {
    await close(fd);
    throw asVbsError(error, file);
  }
  if (!locked) {
    await close(fd);
    return null;
  }
  return {
    // The file stays: removing it would let two processes lock two files of one name.
    release: async () => {
      await truncate(fd, 0).finally(() => {
        unlock(fd);
        return close(fd);
      });
    },
  };
}

/** Who owns an instance, as it wrote itself down; null when it has not done so yet or has let go. */
export async function readOwner(stateDirectory: string, instance: string): Promise<Owner | null> {
  try {
    const owner: unknown = JSON.parse(await fs.promises.readFile(lockFile(stateDirectory, instance), 'utf8'));
    if (typeof owner !== 'object' || owner === null || !('pid' in owner) || typeof owner.pid !== 'number') return null;
    return { pid: owner.pid, ...('endpoint' in owner && typeof owner.endpoint === 'string' ? { endpoint: owner.endpoint } : {}) };
  } catch (error) {
    // Empty or half written: the owner is at it.
    if (error instanceof SyntaxError) return null;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
