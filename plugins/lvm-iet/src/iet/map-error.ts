import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

/** ietadm ends with 256 less the errno. Which of its refusals have one reason only, and what they mean. */
const exits: ReadonlyMap<number, readonly [code: ErrorCode, why: string]> = new Map([
  [126, ['PERMISSION_DENIED', 'this user may not run the tool']],
  [127, ['FAILED_PRECONDITION', 'the tool is not installed, or not in PATH: install the iSCSI Enterprise Target']],
  [145, ['UNAVAILABLE', 'ietd does not run: start it']],
  [239, ['ALREADY_EXISTS', 'there is one already']],
  [240, ['FAILED_PRECONDITION', 'an initiator is connected']],
  [254, ['NOT_FOUND', 'there is none']],
] as const);

/**
 * A failed ietadm with the code that tells most. 234 and 255 have many reasons, which stand in ietd's log alone: they stay unknown
 * (INTERNAL), and /proc/net/iet is read to learn what is (safety A1).
 */
export function mapIetError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr } = error.context;
  const [code, why] = (typeof exitCode === 'number' ? exits.get(exitCode) : undefined) ?? [];
  if (code === undefined) return error;
  const told = typeof stderr === 'string' ? stderr.trim().slice(-200) : '';
  return new VbsError(code, `IET: ${why} (${told}).`, { context: error.context, cause: error });
}

/** Whether ietd refused to remove a target because somebody is connected. */
export function isBusy(error: unknown): boolean {
  return isVbsError(error) && error.context.exitCode === 240;
}

/** Whether ietd refused a command for a reason that it does not tell. */
export function isRefusal(error: unknown): boolean {
  if (!isVbsError(error) || error.code !== 'INTERNAL') return false;
  const { exitCode } = error.context;
  return exitCode === 234 || exitCode === 255;
}
