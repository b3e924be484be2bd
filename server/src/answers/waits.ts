import type { ServerResponse } from 'node:http';
import { isVbsError } from '@vbs/core';
import { tooMany } from '../problems/refusal.js';

/** The requests that wait for operations. A wait ends with its time, with its client, and when the server closes; an operation never does. */
export class Waits {
  readonly #most: number;
  readonly #told: (waiting: number) => void;
  readonly #waiting = new Set<AbortController>();

  constructor(most: number, told: (waiting: number) => void) {
    this.#most = most;
    this.#told = told;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * What `work` answers, or `over` when the wait ended before it did.
   * @throws UNAVAILABLE: too many requests wait already. What `work` throws.
   */
  async upTo<T>(response: ServerResponse, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<{ readonly answer: T } | 'over'> {
    if (this.#waiting.size >= this.#most)
      throw tooMany(`${this.#most} requests wait for operations already; try again, or ask with "Prefer: respond-async"`);
    const wait = new AbortController();
    const end = (): void => wait.abort();
    const timer = setTimeout(end, ms);
    response.once('close', end);
    this.#waiting.add(wait);
    this.#told(this.#waiting.size);
    try {
      return { answer: await work(wait.signal) };
    } catch (error) {
      if (wait.signal.aborted && !isVbsError(error)) return 'over';
      throw error;
    } finally {
      clearTimeout(timer);
      response.off('close', end);
      this.#waiting.delete(wait);
      this.#told(this.#waiting.size);
    }
  }

  /** Ends every wait, and answers each with how its operation stands. */
  endAll(): void {
    for (const wait of this.#waiting) wait.abort();
  }
}
