import pLimit from 'p-limit';
import { VbsError } from '../errors.js';

/** A started thing: `ended` is kept waiting for also where `result` was given up. */
export interface Started<T> {
  readonly result: Promise<T>;
  readonly ended: Promise<void>;
}

const atOnce = 8;
const longestQueue = 256;

/** Lets at most 8 commands run at once (safety B2): the others wait in order, in a queue of 256. A command that cannot be ended keeps its slot. */
export class Slots {
  readonly #limit = pLimit(atOnce);

  /**
   * Starts when a slot is free. The wait is the call's: a command's own time limit counts from its start.
   * @throws UNAVAILABLE: the queue is full. ABORTED: the signal came first. Nothing was started.
   */
  run<T>(signal: AbortSignal, start: () => Started<T>): Promise<T> {
    if (this.#limit.pendingCount >= longestQueue) {
      return Promise.reject(
        new VbsError('UNAVAILABLE', `${longestQueue} commands wait for this machine already: it does not keep up. Try again later.`),
      );
    }
    return new Promise((resolve, reject) => {
      let given = false;
      const giveUp = (error: VbsError): void => {
        given = true;
        forget();
        reject(error);
      };
      const cancel = (): void => giveUp(new VbsError('ABORTED', 'The call was cancelled before its command began.'));
      const forget = (): void => {
        signal.removeEventListener('abort', cancel);
      };
      if (signal.aborted) {
        cancel();
        return;
      }
      signal.addEventListener('abort', cancel, { once: true });
      const job = this.#limit(async () => {
        if (given) return;
        forget();
        const { result, ended } = start();
        result.then(resolve, reject);
        await ended;
      });
      job.catch(reject);
    });
  }
}
