/**
 * What Node.js cannot do by itself and Linux can, called in libc: locks that the kernel frees (flock(2)), the holes of sparse
 * files (lseek(2) SEEK_DATA and SEEK_HOLE, fallocate(2)).
 */
import koffi from 'koffi';
import pLimit from 'p-limit';

const libc = koffi.load('libc.so.6');
const flock = libc.func('int flock(int fd, int operation)');
const lseek = libc.func('int64_t lseek64(int fd, int64_t offset, int whence)');
const fallocate = libc.func('int fallocate64(int fd, int mode, int64_t offset, int64_t length)');

const lockOperation = { shared: 1, exclusive: 2 } as const;
const withoutWaiting = 4;
const unlockOperation = 8;
const seekData = 3;
const seekHole = 4;
const keepSize = 1;
const punch = 2;
const zeroRange = 16;

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

export function unlock(fd: number): void {
  if (flock(fd, unlockOperation) !== 0) throw systemError('flock');
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
