import { VbsError } from '@vbs/core';

const mostWaiting = 1024;

/** A door that acts pass while it is open; closing it waits for those inside, and holds back the rest. */
export class Gate {
  readonly #held: (() => void)[] = [];
  #inside = 0;
  #closed = false;
  #emptied: (() => void) | undefined;

  get isClosed(): boolean {
    return this.#closed;
  }

  /** @throws RESOURCE_EXHAUSTED: too many wait already. */
  async pass<T>(act: () => Promise<T>): Promise<T> {
    while (this.#closed) {
      if (this.#held.length >= mostWaiting) {
        throw new VbsError('RESOURCE_EXHAUSTED', `${mostWaiting} requests are held back already; thaw the VM first.`);
      }
      await new Promise<void>((resolve) => {
        this.#held.push(resolve);
      });
    }
    this.#inside += 1;
    try {
      return await act();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#emptied?.();
    }
  }

  /** Ends when nobody is inside any more; each act that passes has a time limit of its own. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#inside === 0) return;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    this.#emptied = undefined;
  }

  open(): void {
    this.#closed = false;
    for (const resume of this.#held.splice(0)) resume();
  }
}
