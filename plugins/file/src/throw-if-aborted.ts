import { isVbsError, VbsError } from '@vbs/core';

/** Ends a call whose signal was aborted: with the signal's reason if that is a VbsError, else with ABORTED. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (isVbsError(signal.reason)) throw signal.reason;
  throw new VbsError('ABORTED', 'The call was cancelled before its end.', { cause: signal.reason });
}
