import assert from 'node:assert/strict';
import { type ErrorCode, isVbsError, type VbsError } from '@vbs/core';

/** The error that a promise rejects with: a VbsError of one of the codes, with a message. */
export async function refused(act: Promise<unknown>, codes: ErrorCode | readonly ErrorCode[], what: string): Promise<VbsError> {
  const wanted: readonly ErrorCode[] = typeof codes === 'string' ? [codes] : codes;
  const outcome = await act.then(
    () => ({ done: true as const }),
    (error: unknown) => ({ done: false as const, error }),
  );
  assert.ok(!outcome.done, `${what}: it succeeded, and must be refused with ${wanted.join(' or ')}`);
  const { error } = outcome;
  assert.ok(isVbsError(error), `${what}: it rejected with what is no VbsError: ${String(error)}`);
  assert.ok(wanted.includes(error.code), `${what}: ${error.code} in place of ${wanted.join(' or ')} (${error.message})`);
  assert.ok(error.message.trim() !== '', `${what}: the error has no message`);
  return error;
}

/** As `refused`, and `context.field` names the field. */
export async function refusedField(act: Promise<unknown>, codes: ErrorCode | readonly ErrorCode[], field: string, what: string) {
  const error = await refused(act, codes, what);
  assert.equal(error.context.field, field, `${what}: context.field`);
}

/** Two callers at once: each is answered, or told ABORTED; one at least is answered. */
export async function raced<T>(acts: readonly Promise<T>[], what: string): Promise<readonly T[]> {
  const outcomes = await Promise.allSettled(acts);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') await refused(Promise.reject(outcome.reason), 'ABORTED', `${what}: a caller that lost the race`);
  }
  const answers = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
  assert.ok(answers.length > 0, `${what}: every caller was told ABORTED`);
  return answers;
}
