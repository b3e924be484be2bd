import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

const notFoundExit = 127;
const notExecutableExit = 126;

/** What aoetools 36, tee and blockdev say, and what it means. Everything else stays unknown (INTERNAL). */
const texts: readonly (readonly [pattern: RegExp, code: ErrorCode, why: string])[] = [
  [
    /^aoe-\w+: \/dev\/etherd\/\w+ does not exist or is not writeable/m,
    'FAILED_PRECONDITION',
    'the aoe module is not loaded (modprobe aoe), or this user may not write there: put sudo -n in front of the pattern',
  ],
  [/is not a character device file/, 'FAILED_PRECONDITION', 'the aoe module is not loaded: modprobe aoe'],
  [/Permission denied|Operation not permitted/, 'PERMISSION_DENIED', 'this user may not do that: put sudo -n in front of the pattern'],
];

/** A failed command with the code that tells most (safety A1: only what is known to have changed nothing gets a code that says so). */
export function mapAoeError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr } = error.context;
  const told = typeof stderr === 'string' ? stderr : '';
  const mapped = (code: ErrorCode, why: string): VbsError =>
    new VbsError(code, `AoE: ${why} (${told.trim().slice(-200)}).`, { context: error.context, cause: error });
  if (exitCode === notFoundExit) return mapped('FAILED_PRECONDITION', 'the tool is not installed, or not in PATH: install aoetools');
  if (exitCode === notExecutableExit) return mapped('PERMISSION_DENIED', 'this user may not run the tool');
  const found = texts.find(([pattern]) => pattern.test(told));
  return found === undefined ? error : mapped(found[1], found[2]);
}
