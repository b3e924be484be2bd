import pRetry from 'p-retry';
import { errorTable, isVbsError, VbsError } from '../../errors.js';
import type { Layer, RetryOptions } from './layer.js';

const usual: RetryOptions = { retries: 3, firstPauseMs: 100 };
const growth = 3;

type Ending = { readonly answer: unknown } | { readonly error: unknown };

/** Tries again what is UNAVAILABLE, a few times with growing pauses, until the call's signal is aborted; every method is idempotent. */
export const retryUnavailable: Layer =
  (next, { options }) =>
  async (call, request) => {
    const { retries, firstPauseMs } = options.retry ?? usual;
    let ending: Ending | undefined;
    let firstError: VbsError | undefined;
    const attempt = async (): Promise<void> => {
      try {
        ending = { answer: await next(call, request) };
      } catch (error) {
        ending = { error };
        if (isVbsError(error) && error.code === 'UNAVAILABLE') firstError ??= error;
        throw error;
      }
    };
    try {
      await pRetry(attempt, {
        retries,
        minTimeout: firstPauseMs,
        factor: growth,
        signal: call.signal,
        shouldRetry: ({ error }) => isVbsError(error) && error.code === 'UNAVAILABLE',
      });
    } catch (error) {
      // p-retry answers an abort in place of what the last attempt ended with, even of a success.
      if (ending === undefined) throw error;
    }
    if (ending === undefined) throw new TypeError('p-retry made no attempt');
    if ('error' in ending) throw firstError === undefined ? ending.error : unknownSince(firstError, ending.error);
    return ending.answer;
  };

/** An attempt that nobody answered may have acted: a later refusal does not make it one that changed nothing (safety A1). */
function unknownSince(first: VbsError, last: unknown): unknown {
  if (!isVbsError(last) || errorTable[last.code].outcome === 'unknown') return last;
  return new VbsError('UNAVAILABLE', `${first.message}; tried again: ${last.code}: ${last.message}`, {
    context: { ...first.context, laterCode: last.code },
    cause: last,
  });
}
