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

  /** Waits until there is room; a request larger than the whole window goes alone. */
  async acquire(bytes: number): Promise<void> {
    while (!this.#fits(bytes)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#requests += 1;
    this.#bytes += bytes;
  }

  release(bytes: number): void {
    this.#requests -= 1;
    this.#bytes -= bytes;
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #fits(bytes: number): boolean {
    if (this.#requests === 0) return true;
    return this.#requests < this.#maxRequests && this.#bytes + bytes <= this.#maxBytes;
  }
}
