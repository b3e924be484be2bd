import { setTimeout as pause } from 'node:timers/promises';
import type { Problem } from '@vbs/schemas';
import { Agent } from 'undici';
import { Failure, failure } from './failure.js';

/** Where a server answers. */
export type Endpoint = { readonly kind: 'tcp'; readonly url: URL } | { readonly kind: 'unix'; readonly path: string };

export interface Request {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** A repeat does no more than the first: it may be sent again when the connection breaks. */
  readonly repeatable: boolean;
}

export interface Response {
  readonly status: number;
  readonly operationId: string | undefined;
  readonly body: unknown;
}

const connectLimitMs = 5_000;
/** The longest that a server may take beyond what it was asked to wait. */
const answerLimitMs = 60_000;
/** An answer of 1,000 volumes with long comments is some megabytes. */
const mostBytes = 64 * 1024 * 1024;
const pausesMs = [200, 800, 2_000];

/** What broke before or within an answer: a repeatable request is then sent again, as when a server is only starting (503). */
const broken: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/** Requests to one server, over TCP or a Unix socket. */
export class HttpTransport {
  readonly name: string;
  readonly #agent: Agent;
  readonly #origin: string;
  readonly #base: string;

  constructor(endpoint: Endpoint) {
    const path = endpoint.kind === 'unix' ? endpoint.path : undefined;
    this.name = endpoint.kind === 'unix' ? `unix:${endpoint.path}` : endpoint.url.href.replace(/\/$/, '');
    this.#origin = endpoint.kind === 'unix' ? 'http://localhost' : endpoint.url.origin;
    this.#base = endpoint.kind === 'unix' ? '' : endpoint.url.pathname.replace(/\/$/, '');
    this.#agent = new Agent({
      connect: { timeout: connectLimitMs, ...(path === undefined ? {} : { socketPath: path }) },
      headersTimeout: answerLimitMs,
      bodyTimeout: answerLimitMs,
      maxResponseSize: mostBytes,
      connections: 4,
    });
  }

  /** @throws Failure: the server's problem document, or UNAVAILABLE: it does not answer, or answers what no VBS does. */
  async send(request: Request): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(request);
      } catch (error) {
        const ms = pausesMs[attempt];
        const passes = broken.has(codeOf(error)) || (error instanceof Failure && error.problem.status === 503);
        if (ms === undefined || !request.repeatable || !passes) throw this.#told(error, request);
        await pause(ms, undefined, { signal: request.signal });
      }
    }
  }

  /** The body of an endless answer, as it comes. @throws as {@link send} */
  async stream(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const request: Request = { method: 'GET', path, signal, repeatable: true };
    try {
      const {
        statusCode,
        headers: told,
        body,
      } = await this.#agent.request({
        origin: this.#origin,
        path: this.#base + path,
        method: 'GET',
        headers: { accept: 'text/event-stream', ...headers },
        signal,
        // Heartbeats come every 15 s.
        bodyTimeout: answerLimitMs,
      });
      if (statusCode === 200 && String(told['content-type']).startsWith('text/event-stream')) return body;
      throw problemOf(this.name, statusCode, await body.text());
    } catch (error) {
      throw this.#told(error, request);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #once({ method, path, body, headers, signal }: Request): Promise<Response> {
    const answer = await this.#agent.request({
      origin: this.#origin,
      path: this.#base + path,
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
    const text = await answer.body.text();
    const { statusCode: status } = answer;
    if (status < 200 || status > 299) throw problemOf(this.name, status, text);
    const operationId = answer.headers['vbs-operation'];
    return {
      status,
      operationId: typeof operationId === 'string' ? operationId : undefined,
      body: text === '' ? null : jsonOf(this.name, text),
    };
  }

  /** What undici threw, in words for people. The signal's reason stays what it is. */
  #told(error: unknown, { signal }: Request): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof Failure) return error;
    const code = codeOf(error);
    const what = unanswered[code] ?? `does not answer (${code === '' ? String(error) : code})`;
    return failure('UNAVAILABLE', `the server ${this.name} ${what}`, { context: { endpoint: this.name, reason: code }, cause: error });
  }
}

const unanswered: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'is not there: start it with `vbs serve`, or give another --endpoint',
  ENOENT: 'is not there: no such socket. Start a server with `vbs serve`, or give another --endpoint',
  EACCES: 'may not be used by this user: its socket belongs to another one. Use the user that runs it',
  ENOTFOUND: 'has a host name that nobody knows; look at --endpoint',
  EAI_AGAIN: 'has a host name that cannot be looked up now; look at --endpoint and at the name service',
  UND_ERR_CONNECT_TIMEOUT: `could not be reached within ${connectLimitMs / 1_000} s; look at --endpoint and at the network`,
  UND_ERR_HEADERS_TIMEOUT: `did not answer within ${answerLimitMs / 1_000} s; see whether it hangs`,
  UND_ERR_BODY_TIMEOUT: `fell silent for ${answerLimitMs / 1_000} s; see whether it hangs`,
  ECONNRESET: 'broke the connection; see whether it still runs',
  UND_ERR_SOCKET: 'broke the connection; see whether it still runs',
  HPE_INVALID_CONSTANT: 'does not speak HTTP: this is no VBS server; look at --endpoint',
};

/** The system's or undici's code of an error, or of the first of those it is made of. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return codeOf(error.cause);
}

function jsonOf(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failure('UNAVAILABLE', `the server ${name} answered no JSON: this is no VBS server; look at --endpoint`, { cause });
  }
}

function problemOf(name: string, status: number, text: string): Failure {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    // Whatever answered is no VBS server: told below, with its status.
  }
  if (typeof body === 'object' && body !== null && 'code' in body && 'detail' in body) return new Failure(body as Problem);
  return failure(
    'UNAVAILABLE',
    `the server ${name} answered ${status} without a problem document: this is no VBS server; look at --endpoint`,
    {
      context: { endpoint: name, status },
    },
  );
}
