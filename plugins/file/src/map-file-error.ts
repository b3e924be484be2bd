import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
}

const full = {
  code: 'RESOURCE_EXHAUSTED',
  text: 'has no room left: delete volumes or snapshots, or give its file system more room',
} as const;
const forbidden = {
  code: 'PERMISSION_DENIED',
  text: 'may not be used by this process: give its user read, write and search permission on the directory and all in it',
} as const;
const gone = { code: 'UNAVAILABLE', text: 'is not there, or not whole: mount its disk, or put the directory back' } as const;
const failing = { code: 'UNAVAILABLE', text: 'cannot be read or written: look at its disk and at the kernel log' } as const;
const noDescriptors = {
  code: 'UNAVAILABLE',
  text: 'cannot be used, because too many files are open: raise the limit (ulimit -n)',
} as const;

/** What an errno of open(2), write(2), ftruncate(2), fsync(2), link(2) or statfs(2) means for the caller. */
const meanings: Readonly<Record<string, Meaning>> = {
  ENOSPC: full,
  EDQUOT: { code: 'RESOURCE_EXHAUSTED', text: 'is at its quota: raise it, or delete volumes or snapshots' },
  EROFS: { code: 'FAILED_PRECONDITION', text: 'lies on a read-only file system: mount it read-write' },
  EACCES: forbidden,
  EPERM: forbidden,
  EFBIG: { code: 'OUT_OF_RANGE', text: 'lies on a file system that cannot hold files of this size: ask for a smaller volume' },
  ENOENT: gone,
  ENOTDIR: gone,
  ESTALE: gone,
  EIO: failing,
  ENODEV: failing,
  ENXIO: failing,
  EMFILE: noDescriptors,
  ENFILE: noDescriptors,
  ENOLCK: { code: 'FAILED_PRECONDITION', text: 'lies on a file system without flock(2): mount it with locks' },
  ELOOP: { code: 'FAILED_PRECONDITION', text: 'has a symbolic link in place of a file: put the file itself there' },
};

/** An error of the file system as a VbsError that says what to do about the pool; a VbsError stays what it is. */
export function mapFileError(error: unknown, directory: string): VbsError {
  if (isVbsError(error)) return error;
  const { code: errno, syscall, path, message } = error as NodeJS.ErrnoException;
  const meaning = meanings[errno ?? ''];
  const context = { directory, ...(errno && { errno }), ...(syscall && { syscall }), ...(path && { path }) };
  if (meaning) return new VbsError(meaning.code, `The pool ${directory} ${meaning.text} (${errno}).`, { context, cause: error });
  return new VbsError('INTERNAL', `The pool ${directory} failed in a way that is not known: ${message}`, { context, cause: error });
}

/** Acts, and maps what the file system says against it. */
export async function mappingFileErrors<T>(directory: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw mapFileError(error, directory);
  }
}
