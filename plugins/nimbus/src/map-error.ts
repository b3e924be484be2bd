import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

type Meaning = readonly [told: RegExp, code: ErrorCode, why: string];

const meanings: readonly Meaning[] = [
  [
    /a password is required|not allowed to execute|Permission denied/,
    'PERMISSION_DENIED',
    'this user may not: run it as the user of Nimbus',
  ],
  [/No such file or directory/, 'NOT_FOUND', 'there is no such file'],
  [
    /Parameter Problem/,
    'FAILED_PRECONDITION',
    'this nimbus-admin does not know an option: set `delimiter` for one without --json, or replace the command',
  ],
];

/** A failed command with the code that tells most. None of them changes anything, so that what is not known is worth another try. */
export function mapNimbusError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL' || error.context.exitCode === undefined) return error;
  const stderr = typeof error.context.stderr === 'string' ? error.context.stderr : '';
  const [, code, why] = meanings.find(([told]) => told.test(stderr)) ?? [/^/, 'UNAVAILABLE' as const, 'the command failed'];
  return new VbsError(code, `Nimbus: ${why} (${stderr.trim().replaceAll('\n', '; ').slice(0, 300)}).`, {
    context: error.context,
    cause: error,
  });
}
