import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ByteReader } from '@vbs/plugin-nbd/internal/protocol/byte-reader.js';
import { encodeInfoRequest, encodeOption } from '@vbs/plugin-nbd/internal/protocol/options.js';
import { encodeRequest, parseSimpleReply } from '@vbs/plugin-nbd/internal/protocol/requests.js';
import type { ExecutionContext } from 'ava';

/** Speaks NBD byte by byte, rightly or wrongly, as a test wants. */
export class RawClient {
  readonly socket: Socket;
  readonly #reader: ByteReader;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#reader = new ByteReader(socket);
  }

  static async connect(t: ExecutionContext, port: number): Promise<RawClient> {
    const socket = connect({ host: '127.0.0.1', port });
    t.teardown(() => socket.destroy());
    return new RawClient(socket);
  }

  /** Connects, and negotiates up to the transmission phase of an export. */
  static async enter(t: ExecutionContext, port: number, exportName: string): Promise<RawClient> {
    const client = await RawClient.connect(t, port);
    await client.greet();
    client.send(encodeOption(7, encodeInfoRequest({ exportName, types: [] })));
    await client.read(20 + 12 + 20);
    return client;
  }

  /** Hears the greeting and answers it. */
  async greet(flags = 3): Promise<Buffer> {
    const greeting = await this.read(18);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(flags);
    this.send(bytes);
    return greeting;
  }

  /** STARTTLS, trusting everybody: the same connection over TLS. */
  async startTls(): Promise<RawClient> {
    this.send(encodeOption(5, Buffer.alloc(0)));
    await this.optionReply();
    this.#reader.letGo();
    const secure = connectTls({ socket: this.socket, rejectUnauthorized: false });
    await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
    return new RawClient(secure);
  }

  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  request(type: number, offset: number, length: number, options: { flags?: number; handle?: bigint; data?: Buffer } = {}): void {
    const { flags = 0, handle = 1n, data = Buffer.alloc(0) } = options;
    this.send(Buffer.concat([encodeRequest({ type, flags, handle, offset: BigInt(offset), length }), data]));
  }

  read(length: number): Promise<Buffer> {
    return this.#reader.read(length);
  }

  /** The error value and handle of the next simple reply. */
  async reply(): Promise<{ readonly error: number; readonly handle: bigint }> {
    const reply = parseSimpleReply(await this.read(16));
    if (reply === null) throw new Error('no simple reply');
    return reply;
  }

  /** Type and data of the next option reply. */
  async optionReply(): Promise<{ readonly option: number; readonly type: number; readonly data: Buffer }> {
    const header = await this.read(20);
    return { option: header.readUInt32BE(8), type: header.readUInt32BE(12), data: await this.read(header.readUInt32BE(16)) };
  }

  /** Whether the server ends the connection within the limit, whatever it says before. */
  async isDropped(limitMs = 5_000): Promise<boolean> {
    const timer = setTimeout(() => this.#reader.stop(new Error('still connected')), limitMs);
    try {
      await this.#reader.discard(Number.MAX_SAFE_INTEGER);
    } catch (error) {
      return (error as Error).message !== 'still connected';
    } finally {
      clearTimeout(timer);
    }
    return false;
  }
}
