import { Pool } from 'undici';

type Method = 'GET' | 'POST' | 'DELETE';

const limitMs = 30_000;

/** A client of the REST server over kept connections, as a cloud's control plane is one. */
export class RestClient {
  readonly #pool: Pool;
  readonly #signal: AbortSignal;

  constructor(origin: string, connections: number, signal: AbortSignal) {
    this.#pool = new Pool(origin, { connections, pipelining: 1, keepAliveTimeout: 60_000, headersTimeout: limitMs, bodyTimeout: limitMs });
    this.#signal = signal;
  }

  /** The answer's body, read to its end. @throws Error: the server refused; the message is its problem document. */
  async send(method: Method, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await this.#pool.request({
      method,
      path,
      signal: this.#signal,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** A field of an answer that has to be a text. @throws Error: it is none. */
export function textOf(answer: Record<string, unknown>, field: string): string {
  const value = answer[field];
  if (typeof value === 'string') return value;
  throw new Error(`the answer has no text ${field}: ${JSON.stringify(answer)}`);
}

/** @throws Error: a resource is in another state than the one that was waited for. */
export function requireState(answer: Record<string, unknown>, state: string): void {
  const is = textOf(answer, 'state');
  if (is !== state) throw new Error(`the answer should be ${state}, and is ${is}`);
}
