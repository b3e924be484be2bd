import fs, { type Stats } from 'node:fs';
import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { type Access, type Logger, VbsError } from '@vbs/core';
import { type Extent, extentAt, type KnownExtent, prefetch, punchHole, readCached, zeroExtent } from '@vbs/core/posix';

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
  /** What was last seen of data and holes; a change of the file makes it, and what is being looked up, worth nothing. */
  #seen: KnownExtent | null = null;
  #changes = 0;
  #looking = false;
  #sparse: boolean;
  #canReadCached = true;
  #inFlight = 0;
  #quiet = (): void => undefined;

  private constructor(path: string, facts: Stats, file: FileHandle, log: Logger) {
    this.path = path;
    this.inode = `${facts.dev}:${facts.ino}`;
    this.#sparse = facts.blocks * 512 < facts.size;
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
      if (facts.isFile()) return new VolumeFile(path, facts, file, log);
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

  /** Some of it may be a hole: what has always been full until now has none. */
  get mayHaveHoles(): boolean {
    return this.#sparse;
  }

  /** The file was extended, by a hole or by data. */
  grew(): void {
    this.#sparse = true;
    this.#forget();
  }

  /** Fills what of `target` can be had without waiting for a disk, and answers how many bytes that is. */
  readCached(target: Buffer, offset: number): number {
    if (!this.#canReadCached) return 0;
    try {
      return readCached(this.#file.fd, target, offset);
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      this.#canReadCached = false;
      return 0;
    }
  }

  /** Fills `target` from `offset` on. */
  async read(target: Buffer, offset: number): Promise<void> {
    let done = this.readCached(target, offset);
    while (done < target.length) {
      const at = done;
      const count = await this.#moved((fd, ended) => fs.read(fd, target, at, target.length - at, offset + at, ended));
      if (count === 0) throw new Error(`${this.path} ends before byte ${offset + target.length}`);
      done += count;
    }
  }

  /** With one promise for all of it: more of them take a good part of the time of a small write. */
  write(bytes: Buffer, offset: number): Promise<void> {
    this.#forget();
    return this.#hold(
      () =>
        new Promise((resolve, reject) => {
          const writeFrom = (at: number): void =>
            fs.write(this.#file.fd, bytes, at, bytes.length - at, offset + at, (error, count) => {
              if (error === null && at + count < bytes.length) return writeFrom(at + count);
              // Afterwards: a sync that began in the meantime may have missed it.
              this.#unsynced = true;
              this.#forget();
              if (error === null) resolve();
              else reject(error);
            });
          writeFrom(0);
        }),
    );
  }

  /** How many of the `length` bytes at `offset` are a hole; 0 for data. @throws the file ends before. */
  async holeAt(offset: number, length: number): Promise<number> {
    const seen = this.#seenAt(offset) ?? (await this.extentAt(offset));
    return seen.hole ? Math.min(length, seen.offset + seen.length - offset) : 0;
  }

  /** Whether an extent was seen to be a hole, and nothing has changed since; where it was not seen, it may be by the next time. */
  isSeenHole(offset: number, length: number): boolean {
    const seen = this.#seenAt(offset);
    if (seen === null) this.#lookAt(offset);
    return seen?.hole === true && offset + length <= seen.offset + seen.length;
  }

  #seenAt(offset: number): KnownExtent | null {
    const seen = this.#seen;
    return seen !== null && offset >= seen.offset && offset < seen.offset + seen.length ? seen : null;
  }

  /** Looks without anybody waiting; one look at a time. */
  #lookAt(offset: number): void {
    if (this.#looking) return;
    this.#looking = true;
    const ended = (): void => {
      this.#looking = false;
    };
    // What cannot be looked at now, the read itself will tell of.
    this.extentAt(offset).then(ended, ended);
  }

  /** Data or a hole, from `offset` on. @throws the file ends before. */
  async extentAt(offset: number): Promise<KnownExtent> {
    const changes = this.#changes;
    const extent = await this.#hold(() => extentAt(this.#file.fd, offset));
    if (extent === null) throw new Error(`${this.path} ends before byte ${offset + 1}`);
    if (changes === this.#changes) this.#seen = extent;
    return extent;
  }

  /** Has the kernel read an extent ahead. */
  async prefetch(extent: Extent): Promise<void> {
    if (extent.length > 0) await this.#hold(() => prefetch(this.#file.fd, extent));
  }

  /** Gives an extent's room back where the file system can; where not, it stays as it is: TRIM is a hint. */
  async trim(extent: Extent): Promise<void> {
    await this.#tryAllocate('punch a hole', punchHole, extent);
  }

  /**
   * Makes an extent read zeros. `keepRoom`: later writes into it cannot find the disk full.
   * @throws an error with `code` EOPNOTSUPP: it is to be done `onlyFast`, and the zeros would have to be written.
   */
  async writeZeroes(extent: Extent, { keepRoom, onlyFast }: { readonly keepRoom: boolean; readonly onlyFast: boolean }): Promise<void> {
    const fast = keepRoom ? this.#tryAllocate('zero a range', zeroExtent, extent) : this.#tryAllocate('punch a hole', punchHole, extent);
    if (await fast) return;
    if (onlyFast) throw Object.assign(new Error('zeros would have to be written'), { code: 'EOPNOTSUPP' });
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

  /** Waits for what is in flight, syncs what was written and lets go of the file. */
  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      // A descriptor that is closed under a write may be another file's by then.
      while (this.#inFlight > 0) {
        await new Promise<void>((resolve) => {
          this.#quiet = resolve;
        });
      }
      await this.#file.close();
    }
  }

  #forget(): void {
    this.#seen = null;
    this.#changes += 1;
  }

  /** Bytes that a system call moved. By the descriptor's number: the FileHandle's own calls take three times as long. */
  #moved(start: (fd: number, ended: (error: Error | null, count: number) => void) => void): Promise<number> {
    return this.#hold(
      () =>
        new Promise((resolve, reject) => {
          start(this.#file.fd, (error, count) => {
            if (error === null) resolve(count);
            else reject(error);
          });
        }),
    );
  }

  #hold<T>(act: () => Promise<T>): Promise<T> {
    this.#inFlight += 1;
    const ended = (): void => {
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#quiet();
    };
    const result = act();
    result.then(ended, ended);
    return result;
  }

  async #tryAllocate(what: string, act: (fd: number, extent: Extent) => Promise<void>, extent: Extent): Promise<boolean> {
    if (extent.length === 0) return true;
    if (this.#unsupported.has(what)) return false;
    this.#sparse = true;
    this.#forget();
    try {
      await this.#hold(() => act(this.#file.fd, extent));
      this.#unsynced = true;
      return true;
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      if (!this.#unsupported.has(what)) {
        this.#log.warn({ path: this.path }, `the file system cannot ${what}: zeros are written instead, and TRIM gives no room back`);
      }
      this.#unsupported.add(what);
      return false;
    } finally {
      this.#forget();
    }
  }
}
