import { connect, type Socket } from 'node:net';

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** How long a test waits for bytes that must come. */
const limitMs = 10_000;

/** A connection of plain bytes, for requests that no client of HTTP would send. */
export class Wire {
  readonly #socket: Socket;
  readonly #wakes = new Set<() => void>();
  #received = Buffer.alloc(0);
  #ended = false;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1' });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A connection that is reset has ended; what came before it is looked at.
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Leaves what comes where it is. */
  readNothing(): void {
    this.#socket.pause();
  }

  /** Tells the other side that nothing more comes. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** The next answer; null when the connection ended without one. @throws neither came in time. */
  async answer(method = 'GET'): Promise<WireAnswer | null> {
    await this.#until(() => this.#ended || this.#wholeAnswer(method) !== null);
    const whole = this.#wholeAnswer(method);
    if (whole === null && this.#received.length > 0) throw new Error(`half an answer: ${this.#received.toString('latin1').slice(0, 200)}`);
    if (whole !== null) this.#received = this.#received.subarray(whole.length);
    return whole;
  }

  /** Waits until the other side ends the connection, and answers what came before that nobody had taken. */
  async rest(): Promise<string> {
    await this.#until(() => this.#ended);
    return this.#received.toString('latin1');
  }

  #wholeAnswer(method: string): (WireAnswer & { readonly length: number }) | null {
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return null;
    const [first = '', ...lines] = this.#received.toString('latin1', 0, headEnd).split('\r\n');
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(first)?.[1]);
    const bodyLength = method === 'HEAD' || status === 204 || status < 200 ? 0 : Number(headers.get('content-length'));
    const length = headEnd + 4 + bodyLength;
    if (!(length <= this.#received.length)) return null;
    return { status, headers, text: this.#received.toString('utf8', headEnd + 4, length), length };
  }

  async #until(isSo: () => boolean): Promise<void> {
    const end = performance.now() + limitMs;
    while (!isSo()) {
      const left = end - performance.now();
      if (left <= 0) throw new Error(`nothing came within ${limitMs} ms: ${this.#received.toString('latin1').slice(0, 200)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wakes.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #wake(): void {
    for (const wake of this.#wakes) wake();
    this.#wakes.clear();
  }
}

interface Head {
  readonly method: string;
  readonly path: string;
  /** One for each line, in their order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** The bytes of a request; the path and the headers as they are given, octet by octet. */
export function requestBytes({ method, path, headers }: Head, body: Buffer = Buffer.alloc(0)): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''];
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]);
}
