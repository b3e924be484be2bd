import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { ByteSource } from '../protocol/byte-reader.js';

/** What a Unix socket hands over at once, at most, by Linux's default; memory that no bytes ever reached takes none. */
const bufferBytes = 256 * 1024;

/**
 * A socket that receives into the same two buffers again and again: one is read while the kernel fills the other. A stream of
 * Node.js has fresh memory for each 64 KiB, and the page faults of that take longer than all else that is done to the data of a WRITE.
 */
export class ReusedMemory implements ByteSource {
  readonly socket: Socket;
  readonly #buffers = [Buffer.allocUnsafeSlow(bufferBytes), Buffer.allocUnsafeSlow(bufferBytes)] as const;
  /** Which of the buffers the kernel fills next. */
  #next: 0 | 1 = 0;
  /** What nobody has asked for, at most one piece in each buffer. */
  readonly #unread: Buffer[] = [];
  /** The buffers that hold a piece: the one that was asked for last, and those unread. */
  #inUse = 0;
  #paused = false;
  #awake = (): void => undefined;

  /** Owns the descriptor, of a connection, from now on. */
  constructor(fd: number) {
    const options: SocketConstructorOpts & { readonly onread: OnReadOpts } = {
      fd,
      allowHalfOpen: true,
      onread: { buffer: () => this.#buffers[this.#next], callback: (count) => this.#received(count) },
    };
    this.socket = new Socket(options);
    this.socket.resume();
  }

  read(): Buffer | null {
    const piece = this.#unread.shift() ?? null;
    this.#inUse = this.#unread.length + (piece === null ? 0 : 1);
    // With both in use the kernel would fill the one that is being read.
    if (this.#paused && this.#inUse < this.#buffers.length) {
      this.#paused = false;
      this.socket.resume();
    }
    return piece;
  }

  onReadable(awake: () => void): void {
    this.#awake = awake;
  }

  letGo(): number {
    this.socket.pause();
    return this.#unread.reduce((sum, { length }) => sum + length, 0);
  }

  /** False: nothing more until somebody has read. */
  #received(count: number): boolean {
    this.#unread.push(this.#buffers[this.#next].subarray(0, count));
    this.#next = this.#next === 0 ? 1 : 0;
    this.#inUse += 1;
    this.#paused = this.#inUse === this.#buffers.length;
    this.#awake();
    return !this.#paused;
  }
}
