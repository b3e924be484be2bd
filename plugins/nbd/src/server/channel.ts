import type { Socket } from 'node:net';
import { ByteReader, ConnectionEnded, ProtocolViolation } from '../protocol/byte-reader.js';
import { receive } from './receive.js';
import { ReplyWriter } from './reply-writer.js';
import type { ServerTls } from './server-tls.js';

/** What one connection is read and written by: first the accepted socket, after STARTTLS the secure one over it. */
export class Channel {
  #socket: Socket;
  #reader: ByteReader;
  #replies: ReplyWriter;
  #secure = false;
  #stopped: Error | null = null;

  /** `accepted` is paused. */
  constructor(accepted: Socket) {
    const { socket, reader } = receive(accepted);
    this.#socket = socket;
    this.#reader = reader;
    this.#replies = new ReplyWriter(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  get reader(): ByteReader {
    return this.#reader;
  }

  get replies(): ReplyWriter {
    return this.#replies;
  }

  /** TLS is on. */
  get isSecure(): boolean {
    return this.#secure;
  }

  /** Reads no further byte. */
  stop(reason: Error): void {
    this.#stopped ??= reason;
    this.#reader.stop(reason);
  }

  destroy(reason: string): void {
    this.stop(new ConnectionEnded(reason));
    this.#socket.destroy();
  }

  /**
   * Acknowledges STARTTLS by `acknowledge` and goes on over TLS.
   * @throws ProtocolViolation: bytes came behind the request for it. Taken for the client's own after the handshake, anybody on the
   * way could have put them there.
   * @throws ConnectionEnded: the handshake failed.
   */
  async startTls(tls: ServerTls, timeLimitMs: number, acknowledge: () => Promise<void>): Promise<void> {
    if (this.#reader.letGo() > 0) throw new ProtocolViolation('bytes in the clear behind NBD_OPT_STARTTLS');
    await acknowledge();
    if (this.#stopped !== null) throw this.#stopped;
    const secure = await tls.secure(this.#socket, timeLimitMs);
    this.#socket = secure;
    this.#reader = new ByteReader(secure);
    this.#replies = new ReplyWriter(secure);
    this.#secure = true;
    if (this.#stopped !== null) this.stop(this.#stopped);
  }
}
