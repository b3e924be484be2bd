import { type Call, isVbsError, VbsError } from '@vbs/core';

interface Round<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * A read that callers share: all who come before it begins get one answer. A read that runs already is never joined, since it may be
 * older than what the caller has seen happen (safety E3: an instance is resolved again after its disk was attached).
 */
export class SharedRead<T> {
  readonly #read: (call: Call) => Promise<T>;
  #next: Round<T> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(read: (call: Call) => Promise<T>) {
    this.#read = read;
  }

  /** @throws what the read throws; the reason of the call's signal, or ABORTED, when this caller gives up. */
  async run(call: Call): Promise<T> {
    if (call.signal.aborted) throw cancelled(call.signal);
    this.#next ??= this.#plan(call);
    const round = this.#next;
    let giveUp: () => void = () => undefined;
    const gaveUp = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(cancelled(call.signal));
    });
    call.signal.addEventListener('abort', giveUp, { once: true });
    round.waiting += 1;
    try {
      return await Promise.race([round.result, gaveUp]);
    } finally {
      call.signal.removeEventListener('abort', giveUp);
      round.waiting -= 1;
      if (round.waiting === 0) this.#abandon(round);
    }
  }

  /** Begins when the one before it has ended; until then callers join it. */
  #plan(call: Call): Round<T> {
    const controller = new AbortController();
    const { signal } = controller;
    const result = this.#last.then(async () => {
      if (signal.aborted) throw cancelled(signal);
      this.#next = undefined;
      return await this.#read({ ...call, signal });
    });
    this.#last = result.then(
      () => undefined,
      () => undefined,
    );
    return { result, controller, waiting: 0 };
  }

  #abandon(round: Round<T>): void {
    round.controller.abort();
    if (this.#next === round) this.#next = undefined;
  }
}

function cancelled({ reason }: AbortSignal): VbsError {
  return isVbsError(reason) ? reason : new VbsError('ABORTED', 'The call was cancelled before its end.', { cause: reason });
}
