import { VbsError } from '@vbs/core';

/** More callers than this in the queue is a caller that does not wait for his own requests. */
const maxWaiting = 4096;

/** Bounds requests and bytes in flight; who finds no room waits in a queue. */
export class Gate {
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  readonly #queue: { readonly bytes: number; readonly enter: () => void }[] = [];
  #requests = 0;
  #bytes = 0;

  constructor(limits: { readonly maxRequests: number; readonly maxBytes: number }) {
    this.#maxRequests = limits.maxRequests;
    this.#maxBytes = limits.maxBytes;
  }

  /** @throws RESOURCE_EXHAUSTED: the queue is full. */
  async enter(bytes: number): Promise<void> {
    if (this.#queue.length === 0 && this.#fits(bytes)) {
      this.#take(bytes);
      return;
    }
    if (this.#queue.length >= maxWaiting) {
      throw new VbsError('RESOURCE_EXHAUSTED', `${maxWaiting} NBD requests wait on this connection: wait for some before you ask for more`);
    }
    await new Promise<void>((resolve) => {
      this.#queue.push({ bytes, enter: resolve });
    });
  }

  leave(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
    for (let next = this.#queue[0]; next !== undefined && this.#fits(next.bytes); next = this.#queue[0]) {
      this.#queue.shift();
      this.#take(next.bytes);
      next.enter();
    }
  }

  #fits(bytes: number): boolean {
    return this.#requests === 0 || (this.#requests < this.#maxRequests && this.#bytes + bytes <= this.#maxBytes);
  }

  #take(bytes: number): void {
    this.#requests += 1;
    this.#bytes += bytes;
  }
}
