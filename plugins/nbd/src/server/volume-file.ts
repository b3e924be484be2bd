import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { type Access, type Logger, VbsError } from '@vbs/core';
import { type Extent, punchHole, zeroExtent } from '@vbs/core/posix';

/** Zeros are written, and large requests served, in pieces of this many bytes. */
export const pieceBytes = 1024 * 1024;
const zeros = Buffer.alloc(pieceBytes);

function isUnsupported(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'EOPNOTSUPP' || code === 'ENOTSUP' || code === 'ENOSYS';
}

function openError(path: string, error: NodeJS.ErrnoException): VbsError {
  const context = { path, errno: error.code };
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    return new VbsError('NOT_FOUND', `the volume's file ${path} does not exist`, { context, cause: error });
  }
  if (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'EROFS') {
    return new VbsError('PERMISSION_DENIED', `this process may not open ${path}: let its user read and write it`, {
      context,
      cause: error,
    });
  }
  if (error.code === 'EMFILE' || error.code === 'ENFILE') {
    return new VbsError('RESOURCE_EXHAUSTED', `no file descriptor is free for ${path}: raise the limit (ulimit -n)`, {
      context,
      cause: error,
    });
  }
  return new VbsError('UNAVAILABLE', `${path} cannot be opened: ${error.message}`, { context, cause: error });
}

/** The bytes of a volume that is a regular file: one open file for all who are connected. */
export class VolumeFile {
  readonly path: string;
  readonly inode: string;
  readonly #file: FileHandle;
  readonly #log: Logger;
  readonly #unsupported = new Set<string>();
  #unsynced = false;
  #syncing: Promise<void> | null = null;
  #syncFailure: Error | null = null;

  private constructor(path: string, inode: string, file: FileHandle, log: Logger) {
    this.path = path;
    this.inode = inode;
    this.#file = file;
    this.#log = log;
  }

  /** @throws NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (no regular file), RESOURCE_EXHAUSTED, UNAVAILABLE. */
  static async open(path: string, access: Access, log: Logger): Promise<VolumeFile> {
    try {
      // O_NONBLOCK: opening a FIFO must not hold a thread until somebody writes into it.
      const mode = (access === 'read-only' ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK;
      const file = await open(path, mode);
      const facts = await file.stat();
      if (facts.isFile()) return new VolumeFile(path, `${facts.dev}:${facts.ino}`, file, log);
      await file.close();
    } catch (error) {
      throw openError(path, error as NodeJS.ErrnoException);
    }
    throw new VbsError('INVALID_ARGUMENT', `${path} is not a regular file`, { context: { field: 'volume.locator.path', path } });
  }

  /** The present size of the file in bytes. */
  async size(): Promise<number> {
    return (await this.#file.stat()).size;
  }

  /** Whether the path still leads to the file that is open here. */
  async isInPlace(): Promise<boolean> {
    try {
      const facts = await stat(this.path);
      return `${facts.dev}:${facts.ino}` === this.inode;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Fills `target` from `offset` on. */
  async read(target: Buffer, offset: number): Promise<void> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#file.read(target, done, target.length - done, offset + done);
      if (bytesRead === 0) throw new Error(`${this.path} ends before byte ${offset + target.length}`);
      done += bytesRead;
    }
  }

  async write(bytes: Buffer, offset: number): Promise<void> {
    let done = 0;
    try {
      while (done < bytes.length) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    } finally {
      // Afterwards: a sync that began in the meantime may have missed it.
      this.#unsynced = true;
    }
  }

  /** Gives an extent's room back where the file system can; where not, it stays as it is: TRIM is a hint. */
  async trim(extent: Extent): Promise<void> {
    await this.#tryAllocate('punch a hole', punchHole, extent);
  }

  /** Makes an extent read zeros; `keepRoom`: later writes into it cannot find the disk full. */
  async writeZeroes(extent: Extent, keepRoom: boolean): Promise<void> {
    if (await (keepRoom ? this.#tryAllocate('zero a range', zeroExtent, extent) : this.#tryAllocate('punch a hole', punchHole, extent)))
      return;
    const end = extent.offset + extent.length;
    for (let at = extent.offset; at < end; at += pieceBytes) await this.write(zeros.subarray(0, Math.min(pieceBytes, end - at)), at);
  }

  /**
   * Puts everything that was written before on the medium (fdatasync). After one failure every later call fails too: the
   * kernel tells of lost writes once, and another connection must not take the next success for its own.
   */
  async sync(): Promise<void> {
    // One at a time: who finds nothing new must still wait for the one that carries what was written before.
    while (this.#syncing !== null) await this.#syncing;
    if (this.#syncFailure !== null) throw this.#syncFailure;
    if (!this.#unsynced) return;
    this.#unsynced = false;
    let ended = (): void => undefined;
    this.#syncing = new Promise((resolve) => {
      ended = resolve;
    });
    try {
      await this.#file.datasync();
    } catch (error) {
      this.#syncFailure = error as Error;
      this.#log.error({ path: this.path, error }, 'fdatasync failed: writes may be lost, and no further flush of this export succeeds');
      throw error;
    } finally {
      this.#syncing = null;
      ended();
    }
  }

  /** Syncs what was written and lets go of the file. */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      await this.#file.close();
    }
  }

  async #tryAllocate(what: string, act: (fd: number, extent: Extent) => Promise<void>, extent: Extent): Promise<boolean> {
    if (extent.length === 0) return true;
    if (this.#unsupported.has(what)) return false;
    try {
      await act(this.#file.fd, extent);
      this.#unsynced = true;
      return true;
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      if (!this.#unsupported.has(what)) {
        this.#log.warn({ path: this.path }, `the file system cannot ${what}: zeros are written instead, and TRIM gives no room back`);
      }
      this.#unsupported.add(what);
      return false;
    }
  }
}
