import type { Socket } from 'node:net';
import { ConnectionEnded } from '../protocol/byte-reader.js';

/** Told when the kernel has taken the bytes of a reply, or why that never happens: the connection has ended. */
export type Taken = (error?: unknown) => void;
type Piece = (...parts: readonly Buffer[]) => Promise<void>;

/**
 * Sends whole replies over a socket, those of one turn of the event loop by one system call. Who waits until a reply is taken
 * before he lets go of its buffer holds no more than his own share, however slowly the other side reads.
 */
export class ReplyWriter {
  readonly #socket: Socket;
  readonly #waiting: (() => void)[] = [];
  #inPieces = false;
  #corked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Sends one reply; `taken` is always called. Those who call bound how many replies wait. */
  post(taken: Taken, ...parts: readonly Buffer[]): void {
    if (this.#inPieces) this.#waiting.push(() => this.#write(parts, taken));
    else this.#write(parts, taken);
  }

  /** Sends one reply, and ends when it is taken. @throws ConnectionEnded. */
  send(...parts: readonly Buffer[]): Promise<void> {
    return promised((taken) => this.post(taken, ...parts));
  }

  /** Sends one reply in pieces that `produce` hands over; no other reply comes between them. */
  async sendInPieces(produce: (piece: Piece) => Promise<void>): Promise<void> {
    while (this.#inPieces) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#inPieces = true;
    try {
      await produce((...parts) => promised((taken) => this.#write(parts, taken)));
    } finally {
      this.#inPieces = false;
      for (const resume of this.#waiting.splice(0)) resume();
    }
  }

  #write(parts: readonly Buffer[], taken: Taken): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      setImmediate(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    const last = parts.length - 1;
    parts.forEach((part, index) => {
      if (index < last) this.#socket.write(part);
      else
        this.#socket.write(part, (error) => {
          taken(error ? new ConnectionEnded('the other side does not take replies any more', { cause: error }) : undefined);
        });
    });
  }
}

function promised(post: (taken: Taken) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    post((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
