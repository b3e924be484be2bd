import fs from 'node:fs';
import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { VbsError } from '@vbs/core';
import { tryLock, unlock } from '@vbs/core/posix';

// Plain descriptors: a FileHandle that nobody refers to is closed by the garbage collector, and the lock with it.
const open = promisify(fs.open);
const close = promisify(fs.close);
const probeLimitMs = 1_000;

function taken(path: string, why: string): VbsError {
  return new VbsError('RESOURCE_EXHAUSTED', `${path} ${why}: end what listens there, or set "socket" to another path`, {
    context: { path, field: 'socket' },
  });
}

/**
 * A Unix socket's path that this process has for itself. The socket is made in a folder of its own, where nobody can connect
 * before its mode is right, and then renamed to its path: what a dead process left there is replaced.
 */
export class UnixSocket {
  readonly path: string;
  readonly #folder: string;
  #lock: number | null;

  private constructor(path: string, lock: number, folder: string) {
    this.path = path;
    this.#lock = lock;
    this.#folder = folder;
  }

  /**
   * @throws RESOURCE_EXHAUSTED: somebody listens there, or something that is no socket lies there.
   * @throws PERMISSION_DENIED, UNAVAILABLE: its folder cannot be written.
   */
  static async claim(path: string): Promise<UnixSocket> {
    let lock: number | undefined;
    try {
      lock = await open(`${path}.lock`, 'a', 0o600);
      if (!tryLock(lock, 'exclusive')) throw taken(path, 'is in use');
      await refuseForeign(path);
      return new UnixSocket(path, lock, await mkdtemp(join(dirname(path), '.nbd-')));
    } catch (error) {
      if (lock !== undefined) await close(lock);
      if (error instanceof VbsError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      throw new VbsError(
        code === 'EACCES' || code === 'EROFS' ? 'PERMISSION_DENIED' : 'UNAVAILABLE',
        `no socket can be made at ${path} (${code}): set "socket" to a path in a folder that this process may write`,
        { context: { path, field: 'socket', errno: code }, cause: error },
      );
    }
  }

  /** Where to listen at first. */
  get unpublished(): string {
    return join(this.#folder, 's');
  }

  /** What listens at {@link unpublished} has its path from now on. */
  async publish(): Promise<void> {
    await chmod(this.unpublished, 0o600);
    await rename(this.unpublished, this.path);
  }

  /** Takes the socket away and lets others have its path. The lock's file stays: two could otherwise lock two files of one name. */
  async release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = null;
    if (lock === null) return;
    try {
      await rm(this.#folder, { recursive: true, force: true });
      await rm(this.path, { force: true });
    } finally {
      unlock(lock);
      await close(lock);
    }
  }
}

/** Who takes no lock of ours may listen there too. */
async function refuseForeign(path: string): Promise<void> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (facts === null) return;
  if (!facts.isSocket()) throw taken(path, 'is no socket');
  if (await answers(path)) throw taken(path, 'is in use');
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const end = (isAlive: boolean): void => {
      socket.destroy();
      resolve(isAlive);
    };
    socket.once('connect', () => end(true));
    // Only a refusal says that nobody is there; a full queue is somebody's.
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
    socket.setTimeout(probeLimitMs, () => end(true));
  });
}
