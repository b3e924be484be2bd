import type { Readable } from 'node:stream';

/** The other side is gone, or this side stopped reading: there will be no further byte. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** The other side broke the protocol in a way that cannot be answered: the connection must end. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

const nothing = Buffer.alloc(0);

/**
 * Reads exact amounts from a socket. It takes no more than is asked for, so that a reader who waits leaves the bytes in the
 * stream's buffer (its high-water mark), then in the kernel, and so holds the sender back. One caller at a time.
 */
export class ByteReader {
  readonly #stream: Readable;
  readonly #awake = (): void => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };
  readonly #onEnd = (): void => this.stop(new ConnectionEnded('the other side ended the connection'));
  readonly #onError = (error: Error): void => this.stop(new ConnectionEnded(error.message, { cause: error }));
  readonly #onClose = (): void => this.stop(new ConnectionEnded('the connection was closed'));
  #chunk: Buffer = nothing;
  #ended: Error | null = null;
  #wake: (() => void) | null = null;
  #filled = 0;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('readable', this.#awake);
    stream.on('end', this.#onEnd);
    stream.on('error', this.#onError);
    stream.on('close', this.#onClose);
  }

  /** Somebody waits for bytes that have not come. */
  get waiting(): boolean {
    return this.#wake !== null;
  }

  /** The caller that waits has some of its bytes already. */
  get partly(): boolean {
    return this.#filled > 0;
  }

  /** Lets every read from now on, and the one that waits, fail with this; the first reason stays. */
  stop(reason: Error): void {
    this.#ended ??= reason;
    this.#awake();
  }

  /** Leaves the stream to another reader, and answers how many bytes have come that nobody read. Errors of the stream are heard on. */
  letGo(): number {
    this.#stream.off('readable', this.#awake);
    this.#stream.off('end', this.#onEnd);
    return this.#chunk.length + this.#stream.readableLength;
  }

  /** The next `length` bytes if they are here already, without a copy: valid as long as they are held. */
  take(length: number): Buffer | null {
    if (this.#ended !== null) return null;
    if (this.#chunk.length === 0) this.#chunk = (this.#stream.read() as Buffer | null) ?? nothing;
    if (this.#chunk.length < length) return null;
    const bytes = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    return bytes;
  }

  /** The next `length` bytes. */
  async read(length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(length);
    await this.fill(bytes);
    return bytes;
  }

  /** Fills the whole of `target`. */
  async fill(target: Buffer): Promise<void> {
    this.#filled = 0;
    while (this.#filled < target.length) {
      if (this.#chunk.length === 0) await this.#next();
      const count = this.#chunk.copy(target, this.#filled);
      this.#chunk = this.#chunk.subarray(count);
      this.#filled += count;
    }
  }

  /** Throws `length` bytes away as they come. */
  async discard(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      if (this.#chunk.length === 0) await this.#next();
      const count = Math.min(left, this.#chunk.length);
      this.#chunk = this.#chunk.subarray(count);
      left -= count;
    }
  }

  async #next(): Promise<void> {
    for (;;) {
      if (this.#ended !== null) throw this.#ended;
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk !== null) {
        this.#chunk = chunk;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
