import { closeSync, openSync } from 'node:fs';
import { VbsError } from '@vbs/core';
import { tryLock } from '@vbs/core/posix';

/**
 * Makes this process the one daemon of a control socket, until it ends: the kernel frees the lock. The file stays, since
 * removing it would let two processes lock two files of one name.
 * @throws FAILED_PRECONDITION: another process is. PERMISSION_DENIED: the file cannot be opened.
 */
export function takeDaemonLock(control: string): void {
  const path = `${control}.lock`;
  let fd: number;
  try {
    fd = openSync(path, 'a', 0o600);
  } catch (error) {
    throw new VbsError('PERMISSION_DENIED', `${path} cannot be opened: ${String(error)}; let this user write there`, { cause: error });
  }
  if (tryLock(fd, 'exclusive')) return;
  closeSync(fd);
  throw new VbsError('FAILED_PRECONDITION', `another process serves ${control} already: look with vbs-nbd-server status`, {
    context: { reason: 'runs-already', control },
  });
}
