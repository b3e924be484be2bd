import type { Socket } from 'node:net';
import type { Logger } from '@vbs/core';
import { ByteReader, ConnectionEnded, ProtocolViolation } from '../protocol/byte-reader.js';
import { negotiate } from './negotiation.js';
import { ReplyWriter } from './reply-writer.js';
import type { ExportTable, ServedExport, ServedSession } from './served-export.js';
import { transmit } from './transmission.js';

export interface SessionLimits {
  /** From the connection to the chosen export. */
  readonly handshakeTimeLimitMs: number;
  /** For a client that has begun a message and does not end it, or does not take its replies; 0: without end. */
  readonly stallTimeLimitMs: number;
}

/** One connection from its first byte to its end. */
export class Session implements ServedSession {
  readonly initiator: string;
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #reader: ByteReader;
  readonly #replies: ReplyWriter;
  readonly #exports: ExportTable;
  readonly #limits: SessionLimits;
  readonly #log: Logger;
  #served: ServedExport | null = null;
  #owesData = false;

  constructor(socket: Socket, exports: ExportTable, limits: SessionLimits, log: Logger) {
    this.initiator = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
    this.#socket = socket;
    this.#reader = new ByteReader(socket);
    this.#replies = new ReplyWriter(socket);
    this.#exports = exports;
    this.#limits = limits;
    this.#log = log;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    this.done = this.#run();
  }

  /** Takes no further request, ends when those in flight have been answered. */
  finish(): Promise<void> {
    this.#reader.stop(new ConnectionEnded('the server is closing'));
    return this.done;
  }

  destroy(reason: string): void {
    this.#reader.stop(new ConnectionEnded(reason));
    this.#socket.destroy();
  }

  async #run(): Promise<void> {
    try {
      const served = await this.#negotiate();
      if (served !== null) await this.#transmit(served);
    } catch (error) {
      this.#tell(error);
      if (!(error instanceof ConnectionEnded)) this.#socket.destroy();
    } finally {
      // Before the client can see the end: who waits for it may delete the export next.
      this.#served?.leave(this);
      this.#socket.destroySoon();
    }
  }

  async #negotiate(): Promise<ServedExport | null> {
    const limit = setTimeout(() => this.destroy('the handshake took too long'), this.#limits.handshakeTimeLimitMs);
    try {
      return await negotiate({
        reader: this.#reader,
        replies: this.#replies,
        exports: this.#exports,
        admit: (served) => {
          if (!served.admit(this)) return false;
          this.#served = served;
          return true;
        },
      });
    } finally {
      clearTimeout(limit);
    }
  }

  async #transmit(served: ServedExport): Promise<void> {
    this.#watchForStall();
    await transmit({
      reader: this.#reader,
      replies: this.#replies,
      served,
      drop: () => this.destroy('the connection cannot go on'),
      onFault: (error, { type, offset, length }) =>
        this.#log.error({ exportId: served.id, type, offset: Number(offset), length, error }, 'a request failed on the volume'),
      owes: (data) => {
        this.#owesData = data;
      },
    });
  }

  /** A connection may rest for ever between messages, and TCP's keep-alive finds a dead peer; in a message it may not. */
  #watchForStall(): void {
    const { stallTimeLimitMs } = this.#limits;
    if (stallTimeLimitMs === 0) return;
    this.#socket.on('timeout', () => {
      const inMessage = this.#reader.waiting && (this.#owesData || this.#reader.partly);
      if (inMessage || this.#socket.writableLength > 0) this.destroy('the client stalled in the middle of a message');
      else this.#socket.setTimeout(stallTimeLimitMs);
    });
    this.#socket.setTimeout(stallTimeLimitMs);
  }

  #tell(error: unknown): void {
    const facts = { initiator: this.initiator, exportId: this.#served?.id, error };
    if (error instanceof ConnectionEnded) this.#log.debug(facts, 'a connection ended without a goodbye');
    else if (error instanceof ProtocolViolation) this.#log.warn(facts, `a connection was dropped: ${error.message}`);
    else this.#log.error(facts, 'a connection was dropped by an error in the server');
  }
}
