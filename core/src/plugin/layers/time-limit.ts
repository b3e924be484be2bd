import { setMaxListeners } from 'node:events';
import type { Call } from '../../contract/call.js';
import { isVbsError, VbsError } from '../../errors.js';
import type { Layer, LayeredMethod } from './layer.js';
import { rememberStillRunning } from './still-running.js';

/** The grace that a call has to settle after its signal was aborted, in milliseconds, unless told otherwise. */
export const usualGraceMs = 5_000;
/** The longest time that a timer of Node.js can wait, in milliseconds; a longer one would end at once. */
export const longestLimitMs = 2 ** 31 - 1;

type Ending = { readonly answer: unknown } | { readonly error: unknown };
type Interruption = 'limit' | 'cancelled';

/** Waits until a time is over or a signal is aborted, whatever is first. */
class Watch {
  readonly interruption: Promise<Interruption>;
  readonly #signal: AbortSignal;
  #timer: NodeJS.Timeout | undefined;
  #onAbort: () => void = () => undefined;

  constructor(signal: AbortSignal, limitMs: number) {
    this.#signal = signal;
    this.interruption = new Promise((resolve) => {
      this.#timer = setTimeout(resolve, limitMs, 'limit');
      this.#onAbort = () => resolve('cancelled');
      signal.addEventListener('abort', this.#onAbort, { once: true });
    });
  }

  restart(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

async function within(ending: Promise<Ending>, ms: number): Promise<Ending | 'not settled'> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<'not settled'>((resolve) => {
    timer = setTimeout(resolve, ms, 'not settled');
  });
  const first = await Promise.race([ending, over]);
  clearTimeout(timer);
  return first;
}

function notBegun({ instance, method }: LayeredMethod, call: Call): VbsError {
  return new VbsError('ABORTED', `${method} of ${instance} was cancelled before it began; nothing was done`, {
    context: { cancelled: true },
    cause: call.signal.reason,
  });
}

function interrupted({ instance, method }: LayeredMethod, why: Interruption, limitMs: number, cause: unknown): VbsError {
  const what = `${method} of ${instance}`;
  return why === 'limit'
    ? new VbsError('DEADLINE_EXCEEDED', `${what} did not end within ${limitMs} ms; see whether its tool or daemon hangs`, {
        context: { limitMs },
        ...(cause === undefined ? {} : { cause }),
      })
    : new VbsError('DEADLINE_EXCEEDED', `${what} was cancelled while it ran; whether it took effect is not known`, {
        context: { cancelled: true },
        cause,
      });
}

/**
 * Ends what takes too long. At the limit, or when the caller's signal aborts, the call's own signal is aborted, and the call
 * has a grace to settle: a success within it is answered and a VbsError passed on; any other error is DEADLINE_EXCEEDED, and
 * ABORTED too: the command that was not begun any more is one of several, of which others have run.
 * A call that does not settle at all is DEADLINE_EXCEEDED too, and is remembered with the error (`whenSettled`, safety B2).
 * A call whose signal is aborted before it begins is ABORTED, and is not begun.
 */
export const timeLimit: Layer = (next, about) => {
  const { facts, options, method, instance } = about;
  const limitMs = Math.min(options.timeLimits?.[method] ?? facts.timeLimitMs, longestLimitMs);
  const graceMs = options.graceMs ?? usualGraceMs;

  return async (call, request) => {
    if (call.signal.aborted) throw notBegun(about, call);
    const own = new AbortController();
    // A plugin may have many commands and reads under way at once, each of which listens.
    setMaxListeners(0, own.signal);
    const watch = new Watch(call.signal, limitMs);
    let answered = false;
    const run = next(
      {
        signal: own.signal,
        operationId: call.operationId,
        epoch: call.epoch,
        log: call.log,
        progress: (doneBytes, totalBytes) => {
          if (answered) return;
          if (facts.limitCounts === 'idle' && !own.signal.aborted) watch.restart();
          call.progress(doneBytes, totalBytes);
        },
      },
      request,
    );
    options.running?.add(run);
    const ending: Promise<Ending> = run
      .then(
        (answer) => ({ answer }),
        (error: unknown) => ({ error }),
      )
      .finally(() => options.running?.delete(run));

    try {
      const first = await Promise.race([ending, watch.interruption]);
      if (typeof first !== 'string') {
        if ('error' in first) throw first.error;
        return first.answer;
      }
      const reason = interrupted(about, first, limitMs, first === 'limit' ? undefined : call.signal.reason);
      own.abort(reason);
      const last = await within(ending, graceMs);
      if (last === 'not settled') {
        call.log.warn({ instance, method, operationId: call.operationId, graceMs }, `${method} was given up and still runs`);
        rememberStillRunning(reason, run);
        throw reason;
      }
      if ('answer' in last) return last.answer;
      throw isVbsError(last.error) && last.error.code !== 'ABORTED' ? last.error : interrupted(about, first, limitMs, last.error);
    } finally {
      answered = true;
      watch.stop();
    }
  };
};
