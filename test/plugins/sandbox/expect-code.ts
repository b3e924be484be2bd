import { type ErrorCode, isVbsError, type VbsError } from '@vbs/core';
import type { ExecutionContext } from 'ava';

/** Fails unless the promise rejects with this code. */
export async function refuses(t: ExecutionContext, code: ErrorCode, promise: Promise<unknown>): Promise<VbsError> {
  const error = await t.throwsAsync(promise, { any: true });
  if (!isVbsError(error)) throw new Error(`no VbsError: ${String(error)}`, { cause: error });
  t.is(error.code, code, error.message);
  return error;
}
