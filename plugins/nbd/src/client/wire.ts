import type { Socket } from 'node:net';
import { isVbsError, VbsError } from '@vbs/core';
import type { ByteReader } from '../protocol/byte-reader.js';
import { command, headerBytes } from '../protocol/constants.js';
import { encodeRequest, parseSimpleReply } from '../protocol/requests.js';
import { protocolError } from './errors.js';
import { Gate } from './gate.js';

const inFlight = { maxRequests: 16, maxBytes: 32 * 1024 * 1024 } as const;

export interface WireRequest {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly length: number;
  /** The data of a WRITE. */
  readonly data?: Buffer;
  /** Where the data of a READ goes. */
  readonly target?: Buffer;
}

interface Pending {
  readonly target: Buffer | undefined;
  resolve(error: number): void;
  reject(error: VbsError): void;
}

/** The transmission phase of one connection, from the client's side: requests out, replies matched to them. */
export class Wire {
  /** Ends with the connection, whoever ended it; never rejects. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #reader: ByteReader;
  readonly #gate = new Gate(inFlight);
  readonly #pending = new Map<bigint, Pending>();
  #nextHandle = 1n;
  #accepted = 0;
  #ending = false;
  #error: VbsError | null = null;
  #quiet = (): void => undefined;

  constructor(socket: Socket, reader: ByteReader, stallTimeLimitMs: number) {
    this.#socket = socket;
    this.#reader = reader;
    this.closed = new Promise((resolve) => {
      if (socket.closed) resolve();
      else socket.once('close', () => resolve());
    });
    socket.setKeepAlive(true, 60_000);
    socket.on('timeout', () => {
      if (this.#pending.size > 0)
        this.fail(new VbsError('DEADLINE_EXCEEDED', `the NBD server has not answered for ${stallTimeLimitMs} ms`));
      else socket.setTimeout(stallTimeLimitMs);
    });
    socket.setTimeout(stallTimeLimitMs);
    void this.#receive();
  }

  /** Why the connection is of no use any more; null while it is. */
  get error(): VbsError | null {
    return this.#error;
  }

  /** Sends a request and answers the server's error value (0: done). @throws the connection's error. */
  async request({ type, flags, offset, length, data, target }: WireRequest): Promise<number> {
    if (this.#ending) throw this.#error ?? new VbsError('UNAVAILABLE', 'the NBD connection was disconnected');
    const room = data?.length ?? target?.length ?? 0;
    this.#accepted += 1;
    try {
      await this.#gate.enter(room);
      try {
        if (this.#error !== null) throw this.#error;
        return await this.#send({ type, flags, offset, length }, data, target);
      } finally {
        this.#gate.leave(room);
      }
    } finally {
      this.#accepted -= 1;
      if (this.#accepted === 0) this.#quiet();
    }
  }

  #send(request: { type: number; flags: number; offset: number; length: number }, data?: Buffer, target?: Buffer): Promise<number> {
    const handle = this.#nextHandle;
    this.#nextHandle += 1n;
    const answered = new Promise<number>((resolve, reject) => {
      this.#pending.set(handle, { target, resolve, reject });
    });
    this.#socket.cork();
    this.#socket.write(encodeRequest({ ...request, handle, offset: BigInt(request.offset) }));
    if (data !== undefined && data.length > 0) this.#socket.write(data);
    this.#socket.uncork();
    return answered;
  }

  /** Refuses new requests, lets the others end, says goodbye and waits for the server to close; at the limit it closes by force. */
  async end(limitMs: number): Promise<void> {
    if (!this.#ending) {
      this.#ending = true;
      const force = setTimeout(() => this.#socket.destroy(), limitMs);
      if (this.#accepted > 0) {
        await new Promise<void>((resolve) => {
          this.#quiet = resolve;
        });
      }
      if (this.#error === null) {
        this.#error = new VbsError('UNAVAILABLE', 'the NBD connection was disconnected');
        this.#socket.end(encodeRequest({ type: command.disconnect, flags: 0, handle: 0n, offset: 0n, length: 0 }));
      }
      await this.closed;
      clearTimeout(force);
    }
    await this.closed;
  }

  /** Ends the connection and every request with this error. */
  fail(error: VbsError): void {
    this.#error ??= error;
    this.#ending = true;
    this.#socket.destroy();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const request of pending) request.reject(this.#error);
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const reply = parseSimpleReply(await this.#reader.read(headerBytes.simpleReply));
        if (reply === null) throw protocolError('a reply without its magic number');
        const request = this.#pending.get(reply.handle);
        if (request === undefined) throw protocolError('a reply to nothing that was asked');
        if (reply.error === 0 && request.target !== undefined) await this.#reader.fill(request.target);
        this.#pending.delete(reply.handle);
        request.resolve(reply.error);
      }
    } catch (error) {
      this.fail(isVbsError(error) ? error : new VbsError('UNAVAILABLE', 'the connection to the NBD server was lost', { cause: error }));
    }
  }
}
