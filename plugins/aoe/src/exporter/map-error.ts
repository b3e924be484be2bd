import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

/** What vblade (25) says when it ends at once, and what it means. Everything else stays unknown (INTERNAL). */
const texts: readonly (readonly [pattern: RegExp, code: ErrorCode, why: string])[] = [
  [/^open: (No such file or directory|Not a directory|No such device or address)/m, 'NOT_FOUND', "the volume's locator leads nowhere"],
  [
    /^open: (Permission denied|Operation not permitted|Read-only file system)/m,
    'PERMISSION_DENIED',
    'this user may not open the volume so',
  ],
  [/^open: /m, 'FAILED_PRECONDITION', 'the volume cannot be opened'],
  [
    /0-sector file size is too small|^Length \d+ too big|^Offset \d+ too large/m,
    'FAILED_PRECONDITION',
    'there is less behind the locator than the volume has',
  ],
  [
    /^got bad socket: (Operation not permitted|Permission denied)/m,
    'PERMISSION_DENIED',
    'this user may not open raw sockets: give it CAP_NET_RAW, as the README says',
  ],
  [/: No such device$/m, 'FAILED_PRECONDITION', 'this machine has no such network interface'],
  [/: Network is down$/m, 'FAILED_PRECONDITION', 'the network interface is down: set it up'],
  [
    /: (Cannot allocate memory|No buffer space available|Too many open files)/m,
    'RESOURCE_EXHAUSTED',
    'the machine has no room for one more vblade',
  ],
];

const notFoundExit = 127;
const notExecutableExit = 126;

/** A failed command of the exporter with the code that tells most (safety A1). */
export function mapExporterError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr } = error.context;
  const told = typeof stderr === 'string' ? stderr : '';
  const mapped = (code: ErrorCode, why: string): VbsError =>
    new VbsError(code, `vblade: ${why} (${told.trim().slice(-200)}).`, { context: error.context, cause: error });
  if (exitCode === notFoundExit) return mapped('FAILED_PRECONDITION', 'the tool is not installed, or not in PATH: install vblade');
  if (exitCode === notExecutableExit) return mapped('PERMISSION_DENIED', 'this user may not run the tool');
  const found = texts.find(([pattern]) => pattern.test(told));
  return found === undefined ? error : mapped(found[1], found[2]);
}
