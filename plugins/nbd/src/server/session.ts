import type { Socket } from 'node:net';
import type { Logger } from '@vbs/core';
import { ConnectionEnded, ProtocolViolation } from '../protocol/byte-reader.js';
import { Channel } from './channel.js';
import { type Entered, negotiate } from './negotiation.js';
import type { ExportTable, ServedExport, ServedSession } from './served-export.js';
import type { ServerTls } from './server-tls.js';
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
  readonly #channel: Channel;
  readonly #exports: ExportTable;
  readonly #limits: SessionLimits;
  readonly #tls: ServerTls | null;
  readonly #log: Logger;
  #served: ServedExport | null = null;
  #owesData = false;

  constructor(socket: Socket, exports: ExportTable, limits: SessionLimits, tls: ServerTls | null, log: Logger) {
    this.initiator = socket.remoteAddress === undefined ? 'unix socket' : `${socket.remoteAddress}:${socket.remotePort ?? 0}`;
    this.#channel = new Channel(socket);
    this.#exports = exports;
    this.#limits = limits;
    this.#tls = tls;
    this.#log = log;
    this.#channel.socket.setNoDelay(true);
    this.#channel.socket.setKeepAlive(true, 60_000);
    this.done = this.#run();
  }

  /** Takes no further request, ends when those in flight have been answered. */
  finish(): Promise<void> {
    this.#channel.stop(new ConnectionEnded('the server is closing'));
    return this.done;
  }

  destroy(reason: string): void {
    this.#channel.destroy(reason);
  }

  async #run(): Promise<void> {
    try {
      const entered = await this.#negotiate();
      if (entered !== null) await this.#transmit(entered);
    } catch (error) {
      this.#tell(error);
      if (!(error instanceof ConnectionEnded)) this.#channel.socket.destroy();
    } finally {
      // Before the client can see the end: who waits for it may delete the export next.
      this.#served?.leave(this);
      this.#channel.socket.destroySoon();
    }
  }

  async #negotiate(): Promise<Entered | null> {
    const { handshakeTimeLimitMs } = this.#limits;
    const limit = setTimeout(() => this.destroy('the handshake took too long'), handshakeTimeLimitMs);
    try {
      return await negotiate({
        channel: this.#channel,
        exports: this.#exports,
        tls: this.#tls,
        handshakeTimeLimitMs,
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

  async #transmit({ served, agreed }: Entered): Promise<void> {
    this.#watchForStall();
    await transmit({
      reader: this.#channel.reader,
      replies: this.#channel.replies,
      served,
      agreed,
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
    const { socket, reader } = this.#channel;
    if (stallTimeLimitMs === 0) return;
    socket.on('timeout', () => {
      const inMessage = reader.waiting && (this.#owesData || reader.partly);
      if (inMessage || socket.writableLength > 0) this.destroy('the client stalled in the middle of a message');
      else socket.setTimeout(stallTimeLimitMs);
    });
    socket.setTimeout(stallTimeLimitMs);
  }

  #tell(error: unknown): void {
    const facts = { initiator: this.initiator, exportId: this.#served?.id, error };
    if (error instanceof ConnectionEnded) this.#log.debug(facts, 'a connection ended without a goodbye');
    else if (error instanceof ProtocolViolation) this.#log.warn(facts, `a connection was dropped: ${error.message}`);
    else this.#log.error(facts, 'a connection was dropped by an error in the server');
  }
}
