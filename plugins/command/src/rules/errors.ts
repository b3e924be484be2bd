import { type ErrorCode, isVbsError, toVbsError, VbsError } from '@vbs/core';
import { matchLines } from './expressions.js';

export const toldCodes = [
  'NOT_FOUND',
  'FAILED_PRECONDITION',
  'PERMISSION_DENIED',
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
  'INVALID_ARGUMENT',
  'requested',
] as const;

/** What an exit code, or a line of standard error, means. `requested`: the guest was asked, and has not let go. */
export interface ErrorRule {
  readonly exits?: readonly number[];
  readonly text?: string;
  readonly means: (typeof toldCodes)[number];
}

/** A failed command with the code that the first rule gives it; what none tells stays INTERNAL, and so unknown (safety A1). */
export function mapError(rules: readonly ErrorRule[], error: unknown): VbsError {
  const failure = toVbsError(error);
  if (!isVbsError(error) || failure.code !== 'INTERNAL') return failure;
  const { exitCode, stderr } = failure.context;
  if (typeof exitCode !== 'number') return failure;
  const lines = (typeof stderr === 'string' ? stderr : '').split('\n').map((line) => line.slice(0, 1_000));
  const found = rules.find(({ exits, text }) => {
    if (exits !== undefined && !exits.includes(exitCode)) return false;
    return text === undefined || matchLines('Standard error of a command', [text], lines).some((matched) => matched !== null);
  });
  if (found === undefined) return failure;
  const isRequested = found.means === 'requested';
  const code: ErrorCode = found.means === 'requested' ? 'FAILED_PRECONDITION' : found.means;
  const reason = isRequested ? { reason: 'guest-busy' } : {};
  return new VbsError(code, failure.message, { context: { ...failure.context, ...reason }, cause: failure });
}
