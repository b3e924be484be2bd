import type { Readable } from 'node:stream';

/** The other side is gone, or this side stopped reading: there will be no further byte. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** The other side broke the protocol in a way that cannot be answered: the connection must end. */
export class ProtocolViolation extends Error {
  override readonly name = 'ProtocolViolation';
}

/** Where the bytes of a connection come from, piece by piece: a stream, or memory that is used again. */
export interface ByteSource {
  /** The next piece if there is one: valid until the next is asked for. */
  read(): Buffer | null;
  /** Calls `awake` when there is a piece after there was none. */
  onReadable(awake: () => void): void;
  /** Leaves all further bytes to another reader, and answers how many have come that nobody asked for. */
  letGo(): number;
}

const nothing = Buffer.alloc(0);

class StreamSource implements ByteSource {
  readonly #stream: Readable;
  #awake = (): void => undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  read(): Buffer | null {
    return this.#stream.read() as Buffer | null;
  }

  onReadable(awake: () => void): void {
    this.#awake = awake;
    this.#stream.on('readable', awake);
  }

  letGo(): number {
    this.#stream.off('readable', this.#awake);
    return this.#stream.readableLength;
  }
}

/**
 * Reads exact amounts from a socket. It takes no more than is asked for, so that a reader who waits leaves the bytes in the
 * stream's buffer (its high-water mark), then in the kernel, and so holds the sender back. One caller at a time.
 */
export class ByteReader {
  readonly #stream: Readable;
  readonly #source: ByteSource;
  readonly #awake = (): void => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };
  readonly #onEnd = (): void => {
    this.#noMore = new ConnectionEnded('the other side ended the connection');
    this.#awake();
  };
  readonly #onError = (error: Error): void => this.stop(new ConnectionEnded(error.message, { cause: error }));
  readonly #onClose = (): void => this.stop(new ConnectionEnded('the connection was closed'));
  #chunk: Buffer = nothing;
  #stopped: Error | null = null;
  /** Told when what has come is read. */
  #noMore: Error | null = null;
  #wake: (() => void) | null = null;
  #filled = 0;

  constructor(stream: Readable, source: ByteSource = new StreamSource(stream)) {
    this.#stream = stream;
    this.#source = source;
    source.onReadable(this.#awake);
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
    this.#stopped ??= reason;
    this.#awake();
  }

  /** Leaves the stream to another reader, and answers how many bytes have come that nobody read. Errors of the stream are heard on. */
  letGo(): number {
    this.#stream.off('end', this.#onEnd);
    return this.#chunk.length + this.#source.letGo();
  }

  /** The next `length` bytes if they are here already in one piece, without a copy: valid until the next call. */
  take(length: number): Buffer | null {
    if (this.#stopped !== null) return null;
    if (this.#chunk.length === 0) this.#chunk = this.#source.read() ?? nothing;
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
      if (this.#stopped !== null) throw this.#stopped;
      const chunk = this.#source.read();
      if (chunk !== null) {
        this.#chunk = chunk;
        return;
      }
      if (this.#noMore !== null) throw this.#noMore;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
