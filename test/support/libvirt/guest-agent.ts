import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { GuestDisk } from '@vbs/conformance';

const bootLimitMs = 90_000;
const answerLimitMs = 60_000;
const pageBytes = 4096;
const sectorBytes = 512;
const writeBytes = 8 * pageBytes;

/** The program within a guest, over its virtio port. */
export class GuestAgent {
  readonly #socket: Socket;
  readonly #waiting: ((line: string | Error) => void)[] = [];
  #rest = '';
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8').on('data', (text: string) => this.#take(text));
    const gone = (): void => {
      for (const wake of this.#waiting.splice(0)) wake(new Error('the guest has gone'));
    };
    socket.on('error', gone).on('close', gone);
  }

  /** Ends when the guest has booted. */
  static async boot(path: string): Promise<GuestAgent> {
    const end = Date.now() + bootLimitMs;
    for (;;) {
      const socket = connect(path);
      const isOpen = await new Promise<boolean>((resolve) =>
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
      );
      if (isOpen) {
        const agent = new GuestAgent(socket);
        await agent.#line(bootLimitMs);
        return agent;
      }
      if (Date.now() > end) throw new Error('the guest has no port');
      await pause(50);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** A disk by its serial number. @throws the guest has none of it. */
  async disk(serial: string, limitMs = 0): Promise<GuestDisk> {
    const end = Date.now() + limitMs;
    for (;;) {
      const answer = await this.ask(`size ${serial}`);
      if (answer.startsWith('ok ')) return this.#disk(serial, Number(answer.slice(3)) * sectorBytes);
      if (Date.now() > end) throw new Error(`the guest has no disk ${serial}`);
      await pause(50);
    }
  }

  async hold(): Promise<void> {
    await this.do('hold -');
  }

  async letGo(): Promise<void> {
    await this.do('let-go -');
  }

  /** @throws the guest could not. */
  async do(request: string): Promise<string> {
    const answer = await this.ask(request);
    if (answer === 'ok' || answer.startsWith('ok ')) return answer.slice(3);
    throw new Error(`the guest answers ${JSON.stringify(answer)} to ${request.slice(0, 60)}`);
  }

  /** One after the other: the guest has one ear. */
  ask(request: string): Promise<string> {
    const answer = this.#last.then(async () => {
      this.#socket.write(`${request}\n`);
      return this.#line(answerLimitMs);
    });
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  #disk(serial: string, sizeBytes: number): GuestDisk {
    return {
      sizeBytes,
      read: async (offset, length) => {
        const block = blockOf(offset, length);
        return Buffer.from(await this.do(`read ${serial} ${block} ${offset / block} ${length / block}`), 'base64');
      },
      write: async (offset, bytes) => {
        for (let at = 0; at < bytes.length; at += writeBytes) {
          const piece = Buffer.from(bytes.subarray(at, at + writeBytes));
          const block = blockOf(offset + at, piece.length);
          await this.do(`write ${serial} ${block} ${(offset + at) / block} ${piece.length / block} ${piece.toString('base64')}`);
        }
      },
      // Each write ends with fsync of the device.
      flush: async () => undefined,
    };
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#waiting.shift()?.(line);
  }

  #line(limitMs: number): Promise<string> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => wake(new Error(`the guest has not answered within ${limitMs} ms`)), limitMs);
      const wake = (line: string | Error): void => {
        clearTimeout(late);
        if (line instanceof Error) reject(line);
        else resolve(line);
      };
      this.#waiting.push(wake);
    });
  }
}

function blockOf(offset: number, length: number): number {
  if (offset % pageBytes === 0 && length % pageBytes === 0) return pageBytes;
  if (offset % sectorBytes === 0 && length % sectorBytes === 0) return sectorBytes;
  throw new RangeError('a guest reads and writes whole sectors');
}
