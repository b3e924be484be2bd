import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

type Meaning = readonly [told: RegExp, code: ErrorCode, why: string];

const meanings: readonly Meaning[] = [
  [
    /a password is required|not allowed to execute|Permission denied/,
    'PERMISSION_DENIED',
    'this user may not: run it as the user of Nimbus',
  ],
  [
    /Unrecognized option|Report field .* is not allowed|no such option/,
    'FAILED_PRECONDITION',
    'this nimbus-admin does not know an option: set `delimiter` for one without --json, or replace the command',
  ],
  [/Parameter Problem/, 'FAILED_PRECONDITION', 'nimbus-admin refuses how it is called'],
  [/Failed to connect to Nimbus service/, 'UNAVAILABLE', 'the service does not run, or this user does not reach its socket'],
];

/**
 * A failed command with the code that tells most. None of them changes anything, so that what is not known is worth another try.
 * NOT_FOUND is only that `file`, which the command was to read, is not there: a tool that is missing says the same of itself.
 */
export function mapNimbusError(error: unknown, file?: string): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL' || error.context.exitCode === undefined) return error;
  const stderr = typeof error.context.stderr === 'string' ? error.context.stderr : '';
  if (file !== undefined && isMissing(stderr, file)) {
    return new VbsError('NOT_FOUND', `Nimbus: there is no ${file}.`, { context: { ...error.context, path: file }, cause: error });
  }
  const [, code, why] = meanings.find(([told]) => told.test(stderr)) ?? [/^/, 'UNAVAILABLE' as const, 'the command failed'];
  return new VbsError(code, `Nimbus: ${why} (${stderr.trim().replaceAll('\n', '; ').slice(0, 300)}).`, {
    context: error.context,
    cause: error,
  });
}

function isMissing(stderr: string, file: string): boolean {
  return stderr.split('\n').some((line) => line.includes(file) && line.includes('No such file or directory'));
}
