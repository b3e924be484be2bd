import type { Call } from '../../contract/call.js';
import { VbsError } from '../../errors.js';

/** Lets the acts of this process under one guard take turns here, so that they wait for each other without a session each. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** @throws ABORTED: the call ended before the turn came; the act was not begun. */
  async take<T>(call: Call, resource: string, act: () => Promise<T>): Promise<T> {
    const before = this.#last.get(resource);
    let end: () => void = () => undefined;
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    const last = before === undefined ? own : before.then(() => own);
    this.#last.set(resource, last);
    try {
      if (before !== undefined) await this.#wait(call, resource, before);
      return await act();
    } finally {
      end();
      if (this.#last.get(resource) === last) this.#last.delete(resource);
    }
  }

  #wait(call: Call, resource: string, before: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        call.signal.removeEventListener('abort', refuse);
        settle();
      };
      const refuse = (): void => {
        const message = `The guard of ${resource} was not free in time: the call was cancelled. Nothing was run.`;
        done(() => reject(new VbsError('ABORTED', message, { resource, context: { pids: [] } })));
      };
      call.signal.addEventListener('abort', refuse, { once: true });
      if (call.signal.aborted) refuse();
      void before.then(() => done(resolve));
    });
  }
}
