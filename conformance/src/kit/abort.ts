import type { Call } from '@vbs/core';
import { toVbsError } from '@vbs/core';
import { inTime } from './test.js';

/** When a call's signal is aborted: so many milliseconds after the call was made, or at its first progress. */
export type Moment = number | 'first progress';
export const moments: readonly Moment[] = [0, 1, 5, 25, 'first progress'];

export interface AbortOptions {
  readonly newCall: (overrides: Partial<Call>) => Call;
  readonly moment: Moment;
  /** How long the call may take to settle once it was aborted, in milliseconds. */
  readonly settleMs: number;
  readonly act: (call: Call) => Promise<unknown>;
}

/**
 * Aborts a call in the middle, and demands that it settles soon. What it settles with is left to it: an answer when it was done,
 * else an error. Answers the durable progress that it reported.
 */
export async function abortDuring({ newCall, moment, settleMs, act }: AbortOptions): Promise<number> {
  const controller = new AbortController();
  let doneBytes = 0;
  let tellAborted: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => {
    tellAborted = resolve;
  });
  const abort = (): void => {
    controller.abort(new Error('the test cancelled the call'));
    tellAborted();
  };
  const call = newCall({
    signal: controller.signal,
    progress: (done) => {
      doneBytes = done;
      if (moment === 'first progress') abort();
    },
  });
  const settled = act(call).then(
    () => undefined,
    // An abort's own error says nothing: what is left behind is looked at by the caller.
    (error: unknown) => void toVbsError(error),
  );
  const timer = moment === 'first progress' ? undefined : setTimeout(abort, moment);
  try {
    await Promise.race([settled, aborted]);
    await inTime(
      settled,
      settleMs,
      `the call was aborted (${moment === 'first progress' ? moment : `after ${moment} ms`}) and has not settled`,
    );
  } finally {
    clearTimeout(timer);
  }
  return doneBytes;
}
