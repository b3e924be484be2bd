/** Bounds what one connection has in flight. One caller waits at a time: the loop that receives its requests. */
export class Window {
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  #requests = 0;
  #bytes = 0;
  #wake: (() => void) | null = null;

  constructor(limits: { readonly maxRequests: number; readonly maxBytes: number }) {
    this.#maxRequests = limits.maxRequests;
    this.#maxBytes = limits.maxBytes;
  }

  /** Takes room if there is; a request larger than the whole window goes alone. */
  tryAcquire(bytes: number): boolean {
    if (this.#requests > 0 && (this.#requests >= this.#maxRequests || this.#bytes + bytes > this.#maxBytes)) return false;
    this.#requests += 1;
    this.#bytes += bytes;
    return true;
  }

  /** Waits until there is room. */
  async acquire(bytes: number): Promise<void> {
    while (!this.tryAcquire(bytes)) await this.#change();
  }

  release(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Waits until nothing is in flight. */
  async drained(): Promise<void> {
    while (this.#requests > 0) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
