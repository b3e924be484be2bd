/**
 * What Node.js cannot do by itself and Linux can, called in libc: locks that the kernel frees (flock(2)), the holes of sparse
 * files (lseek(2) SEEK_DATA and SEEK_HOLE, fallocate(2)), reads that never wait for a disk (preadv2(2) RWF_NOWAIT), second descriptors.
 */
import koffi from 'koffi';
import pLimit from 'p-limit';

const libc = koffi.load('libc.so.6');
const flock = libc.func('int flock(int fd, int operation)');
const lseek = libc.func('int64_t lseek64(int fd, int64_t offset, int whence)');
const fallocate = libc.func('int fallocate64(int fd, int mode, int64_t offset, int64_t length)');
const preadv2 = libc.func('int64_t preadv64v2(int fd, const void *iov, int count, int64_t offset, int flags)');
const fcntl = libc.func('int fcntl(int fd, int command, int argument)');
const fadvise = libc.func('int posix_fadvise64(int fd, int64_t offset, int64_t length, int advice)');

const copyFileRange = libc.func(
  'int64_t copy_file_range(int source, _Inout_ int64_t *sourceOffset, int target, _Inout_ int64_t *targetOffset, size_t length, unsigned int flags)',
);

const lockOperation = { shared: 1, exclusive: 2 } as const;
const withoutWaiting = 4;
const unlockOperation = 8;
const seekData = 3;
const seekHole = 4;
const seekEnd = 2;
const keepSize = 1;
const punch = 2;
const zeroRange = 16;
const noWait = 8;
const willNeed = 3;
const duplicateFrom = 1030;

const wouldBlock = koffi.os.errno.EAGAIN;
const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

function systemError(call: string): NodeJS.ErrnoException {
  const errno = koffi.errno();
  const code = errnoNames.get(errno) ?? `errno ${errno}`;
  return Object.assign(new Error(`${call}: ${code}`), { errno, code, syscall: call });
}

/** Takes the lock of an open file if it is free. It is freed when every descriptor of this open is closed, also by the process's end. */
export function tryLock(fd: number, mode: 'shared' | 'exclusive'): boolean {
  if (flock(fd, lockOperation[mode] | withoutWaiting) === 0) return true;
  const error = systemError('flock');
  if (error.code === 'EAGAIN' || error.code === 'EWOULDBLOCK') return false;
  throw error;
}

/** Frees the lock at once: a program that is being started has a second descriptor until it runs, and closing ours would not free it. */
export function unlock(fd: number): void {
  if (flock(fd, unlockOperation) !== 0) throw systemError('flock');
}

/** Another descriptor for what `fd` is open on, which programs that are started do not inherit (fcntl(2) F_DUPFD_CLOEXEC). */
export function duplicate(fd: number): number {
  const duplicated = fcntl(fd, duplicateFrom, 0) as number;
  if (duplicated < 0) throw systemError('fcntl');
  return duplicated;
}

/** Bytes of a file, from `offset` on. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** The next extent with data at or after `from`; null when only a hole follows. Moves the file's position. */
export function nextData(fd: number, from: number): Extent | null {
  const offset = lseek(fd, from, seekData) as number;
  if (offset < 0) {
    const error = systemError('lseek');
    if (error.code === 'ENXIO') return null;
    throw error;
  }
  const end = lseek(fd, offset, seekHole) as number;
  if (end < 0) throw systemError('lseek');
  return { offset, length: end - offset };
}

/**
 * More at once would only wait for a thread of libuv, in front of other work, and koffi refuses the 257th. Those who call bound how
 * many wait here.
 */
const allocating = pLimit(4);
const looking = pLimit(4);

function allocateNow(fd: number, mode: number, { offset, length }: Extent): Promise<void> {
  return new Promise((resolve, reject) => {
    fallocate.async(fd, mode, offset, length, (error: unknown, result: number) => {
      if (error !== null && error !== undefined) reject(error);
      else if (result === 0) resolve();
      // Only here, and only until the callback ends, errno is that of the thread that made the call (koffi 3.2).
      else reject(systemError('fallocate'));
    });
  });
}

function allocate(fd: number, mode: number, extent: Extent): Promise<void> {
  return allocating(() => allocateNow(fd, mode, extent));
}

/** Gives an extent's room back; it then reads zeros. @throws an error with `code` EOPNOTSUPP where the file system cannot. */
export function punchHole(fd: number, extent: Extent): Promise<void> {
  return allocate(fd, punch | keepSize, extent);
}

/** Makes an extent read zeros and keeps its room. @throws an error with `code` EOPNOTSUPP where the file system cannot. */
export function zeroExtent(fd: number, extent: Extent): Promise<void> {
  return allocate(fd, zeroRange | keepSize, extent);
}

function seek(fd: number, from: number, whence: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    lseek.async(fd, from, whence, (error: unknown, offset: number) => {
      if (error !== null && error !== undefined) return reject(error);
      if (offset >= 0) return resolve(offset);
      const failure = systemError('lseek');
      if (failure.code === 'ENXIO') resolve(null);
      else reject(failure);
    });
  });
}

/** An extent that has data throughout, or none. */
export interface KnownExtent extends Extent {
  readonly hole: boolean;
}

/**
 * What lies at `from`, looked up on a thread of its own: an extent from there on; null at or behind the file's end. While others change
 * the file it may tell what was there before, and call a hole data. Moves the file's position.
 */
export function extentAt(fd: number, from: number): Promise<KnownExtent | null> {
  return looking(async () => {
    const data = await seek(fd, from, seekData);
    if (data === from) {
      const end = await seek(fd, from, seekHole);
      // A hole that was made in between: one byte of data is still no lie.
      return { offset: from, length: Math.max(1, (end ?? from) - from), hole: false };
    }
    const end = data ?? (await seek(fd, 0, seekEnd)) ?? from;
    return end > from ? { offset: from, length: end - from, hole: true } : null;
  });
}

/** Asks the kernel to have an extent in its cache soon (posix_fadvise(2) WILLNEED). */
export function prefetch(fd: number, { offset, length }: Extent): Promise<void> {
  return looking(
    () =>
      new Promise((resolve, reject) => {
        fadvise.async(fd, offset, length, willNeed, (error: unknown, errno: number) => {
          if (error !== null && error !== undefined) reject(error);
          else if (errno === 0) resolve();
          else reject(Object.assign(new Error('posix_fadvise'), { errno, code: errnoNames.get(errno), syscall: 'posix_fadvise' }));
        });
      }),
  );
}

/** One struct iovec: an address and a length. */
const vector = new BigUint64Array(2);

/**
 * Reads into `target` as much as is in the kernel's cache from `offset` on, without ever waiting for a disk. Answers the bytes
 * read: 0 where nothing is cached, and at the end of the file.
 * @throws an error with `code` EOPNOTSUPP where the file system cannot.
 */
export function readCached(fd: number, target: Buffer, offset: number): number {
  vector[0] = koffi.address(target);
  vector[1] = BigInt(target.length);
  const bytes = preadv2(fd, vector, 1, offset, noWait) as number;
  if (bytes >= 0) return bytes;
  // Without an Error: this is the usual answer while a file is read for the first time.
  if (koffi.errno() === wouldBlock) return 0;
  throw systemError('preadv2');
}

const copying = pLimit(2);

/**
 * Copies an extent to the same place of another file within the kernel (copy_file_range(2)), on a thread of its own. Answers how many
 * bytes it copied, which may be fewer: 0 at the end of the source. Holes are copied as zeros where the file system does not keep them.
 * @throws an error with `code` EXDEV, EOPNOTSUPP, EINVAL or ENOSYS where the file systems cannot.
 */
export function copyRange(source: number, target: number, { offset, length }: Extent): Promise<number> {
  return copying(
    () =>
      new Promise((resolve, reject) => {
        copyFileRange.async(source, [offset], target, [offset], length, 0, (error: unknown, copied: number) => {
          if (error !== null && error !== undefined) reject(error);
          else if (copied >= 0) resolve(copied);
          // Only here, and only until the callback ends, errno is that of the thread that made the call (koffi 3.2).
          else reject(systemError('copy_file_range'));
        });
      }),
  );
}
