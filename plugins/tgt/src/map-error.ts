import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

/** What tgtadm says (tgt 1.0.85), and what it means. Everything else stays unknown (INTERNAL). */
const texts: readonly (readonly [pattern: RegExp, code: ErrorCode, why: string])[] = [
  [
    /failed to send request hdr|can't connect|Transport endpoint is not connected|tgtd closed the socket/,
    'UNAVAILABLE',
    'no tgtd answers on its control socket, or this user may not write to it',
  ],
  [/this target already exists/, 'ALREADY_EXISTS', 'a target of this id or name exists'],
  [/this logical unit number already exists/, 'ALREADY_EXISTS', 'the logical unit exists'],
  [/this account already exists/, 'ALREADY_EXISTS', 'the account exists'],
  [/this access control rule already exists/, 'ALREADY_EXISTS', 'the initiator is admitted already'],
  [/can't find the target/, 'NOT_FOUND', 'there is no such target'],
  [/can't find the logical unit/, 'NOT_FOUND', 'there is no such logical unit'],
  [/can't find the account/, 'NOT_FOUND', 'there is no such account'],
  [/can't find the session/, 'NOT_FOUND', 'there is no such session'],
  [/this access control rule does not exist/, 'NOT_FOUND', 'the initiator is not admitted'],
  [/this target is still active|this logical unit is still active/, 'FAILED_PRECONDITION', 'an initiator is connected'],
  [/^tgtadm: out of memory/m, 'RESOURCE_EXHAUSTED', 'tgtd is out of memory'],
];

const notFoundExit = 127;
const notExecutableExit = 126;

/** A failed command of tgt with the code that tells most (safety A1: only what is known to have changed nothing gets a code that says so). */
export function mapTgtError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr } = error.context;
  const told = typeof stderr === 'string' ? stderr : '';
  const mapped = (code: ErrorCode, why: string): VbsError =>
    new VbsError(code, `tgt: ${why} (${told.trim().slice(-200)}).`, { context: error.context, cause: error });
  if (exitCode === notFoundExit) return mapped('FAILED_PRECONDITION', 'the tool is not installed, or not in PATH: install tgt');
  if (exitCode === notExecutableExit) return mapped('PERMISSION_DENIED', 'this user may not run the tool');
  const found = texts.find(([pattern]) => pattern.test(told));
  return found === undefined ? error : mapped(found[1], found[2]);
}

/** Whether tgtadm refused for a reason that it does not tell (`invalid request`), such as a file that tgtd may not open. */
export function isInvalidRequest(error: VbsError): boolean {
  const { stderr } = error.context;
  return error.code === 'INTERNAL' && typeof stderr === 'string' && /tgtadm: invalid request/.test(stderr);
}
