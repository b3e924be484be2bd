import type { Socket } from 'node:net';
import { ConnectionEnded } from '../protocol/byte-reader.js';

/**
 * Sends whole replies over a socket. A promise of it ends when the kernel has taken the bytes, so that who waits for it
 * before he lets go of their buffer holds no more than his own share, however slowly the other side reads.
 */
export class ReplyWriter {
  readonly #socket: Socket;
  #stream: Promise<void> | null = null;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  async send(...parts: readonly Buffer[]): Promise<void> {
    while (this.#stream !== null) await this.#stream;
    await this.#write(parts);
  }

  /** Sends one reply in pieces that `produce` hands over; no other reply comes between them. */
  async sendInPieces(produce: (piece: (...parts: readonly Buffer[]) => Promise<void>) => Promise<void>): Promise<void> {
    while (this.#stream !== null) await this.#stream;
    let free = (): void => undefined;
    this.#stream = new Promise((resolve) => {
      free = resolve;
    });
    try {
      await produce((...parts) => this.#write(parts));
    } finally {
      this.#stream = null;
      free();
    }
  }

  #write(parts: readonly Buffer[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const last = parts.length - 1;
      this.#socket.cork();
      parts.forEach((part, index) => {
        if (index < last) this.#socket.write(part);
        else
          this.#socket.write(part, (error) => {
            if (error) reject(new ConnectionEnded('the other side does not take replies any more', { cause: error }));
            else resolve();
          });
      });
      this.#socket.uncork();
    });
  }
}
