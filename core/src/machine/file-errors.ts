import { type ErrorCode, isVbsError, VbsError } from '../errors.js';

const codes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['NOT_FOUND', 'it does not exist'],
  ENOTDIR: ['NOT_FOUND', 'a part of the path is not a folder'],
  EISDIR: ['FAILED_PRECONDITION', 'it is a folder'],
  EACCES: ['PERMISSION_DENIED', 'this process may not; look at owner and mode'],
  EPERM: ['PERMISSION_DENIED', 'this process may not; look at owner and mode'],
  EROFS: ['PERMISSION_DENIED', 'the file system is read-only'],
  ENOSPC: ['RESOURCE_EXHAUSTED', 'the file system is full'],
  EDQUOT: ['RESOURCE_EXHAUSTED', 'the quota is reached'],
  EMFILE: ['UNAVAILABLE', 'this process has too many open files'],
  ENFILE: ['UNAVAILABLE', 'this machine has too many open files'],
};

/** An error of a file system call as a VbsError that names the path; `doing` is as in "cannot read". */
export function fileError(error: unknown, path: string, doing: string): VbsError {
  if (isVbsError(error)) return error;
  const errno = (error as NodeJS.ErrnoException).code ?? 'no code';
  const [code, why] = codes[errno] ?? ['INTERNAL', errno];
  return new VbsError(code, `Cannot ${doing} ${path}: ${why}.`, { context: { path, errno }, cause: error });
}

/** What `act` answers, its file system errors mapped. */
export async function withFileErrors<T>(path: string, doing: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fileError(error, path, doing);
  }
}

/** As {@link withFileErrors}, for what is done at once. */
export function withFileErrorsNow<T>(path: string, doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw fileError(error, path, doing);
  }
}
