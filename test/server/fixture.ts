import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type BlockStore, defaultConfiguration, type Logger } from '@vbs/core';
import { createMetrics, createServer, type Limits, type Metrics, type RunningServer, type ServeOptions, serve } from '@vbs/server';
import type { ExecutionContext } from 'ava';
import type { FastifyInstance } from 'fastify';
import { newDirectory, newStore, type StoreOptions, silent, type TestStore } from '../support/store.js';
import { type Answer, AnswerCheck } from './open-api.js';

/** An answer with its body read. */
export interface Told extends Answer {
  readonly body: ReturnType<typeof JSON.parse>;
}

interface Sent {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Call = (method: string, url: string, sent?: Sent) => Promise<Told>;

export interface TestServer extends TestStore {
  readonly app: FastifyInstance;
  readonly metrics: Metrics;
  /** Sends a request without a network; its answer is held against the document. */
  readonly call: Call;
}

export interface ServerFixture extends StoreOptions {
  readonly limits?: Partial<Limits>;
  readonly log?: Logger;
  /** In place of the store that the routes call. */
  readonly routed?: (store: BlockStore) => BlockStore;
}

/** A server of a fresh store that does not listen. */
export async function newServer(t: ExecutionContext, options: ServerFixture = {}): Promise<TestServer> {
  const metrics = createMetrics();
  const opened = await newStore(t, { ...options, services: { observer: metrics.observer, ...options.services } });
  const store = (options.routed ?? ((same) => same))(opened.store);
  const app = await createServer({ store, metrics, log: options.log ?? silent, limits: options.limits ?? {} });
  t.teardown(() => app.close());
  const answers = await documentOf(app);
  const call: Call = async (method, url, { body, headers = {} } = {}) => {
    const payload = body === undefined ? {} : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const {
      statusCode,
      headers: told,
      payload: text,
    } = await app.inject({ method: method as 'GET', url, headers: { ...type, ...headers }, ...payload });
    const answer = { status: statusCode, headers: told as Answer['headers'], text };
    if (method !== 'HEAD') answers.check(t, method, url, answer);
    return { ...answer, body: bodyOf(answer) };
  };
  return { ...opened, store, app, metrics, call };
}

async function documentOf(app: FastifyInstance): Promise<AnswerCheck> {
  const { payload } = await app.inject({ method: 'GET', url: '/openapi.json' });
  return new AnswerCheck(JSON.parse(payload) as object);
}

function bodyOf({ headers, text }: Answer): Told['body'] {
  return String(headers['content-type'] ?? '').includes('json') && text !== '' ? JSON.parse(text) : undefined;
}

export interface TestService extends RunningServer {
  readonly directory: string;
  readonly port: number;
  /** Sends a request over TCP; its answer is held against the document. */
  readonly call: Call;
}

/** The embedded default, served for real on a free port; closed with the test. */
export async function newService(t: ExecutionContext, options: Partial<ServeOptions> = {}, directory?: string): Promise<TestService> {
  const folder = directory ?? (await newDirectory(t));
  const configuration = options.configuration ?? defaultConfiguration({ dataDirectory: folder, port: 0 });
  const running = await serve({ log: silent, ...options, configuration });
  t.teardown(() => running.close());
  const port = Number(new URL(running.url).port);
  const { text } = await over({ host: '127.0.0.1', port }, 'GET', '/openapi.json');
  const answers = new AnswerCheck(JSON.parse(text) as object);
  const call: Call = async (method, url, { body, headers = {} } = {}) => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const sent = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await over({ host: '127.0.0.1', port }, method, url, { ...type, ...headers }, sent);
    answers.check(t, method, url, answer);
    return { ...answer, body: bodyOf(answer) };
  };
  return { ...running, directory: folder, port, call };
}

/** One request on a connection of its own. */
export function over(
  where: { readonly host?: string; readonly port?: number; readonly socketPath?: string },
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...where, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Answer['headers'],
          text: Buffer.concat(chunks).toString(),
        }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** A connection of plain bytes, ended with the test. */
export interface RawConnection {
  readonly socket: Socket;
  /** All that was received until the other side ended. */
  readonly received: Promise<string>;
  /** What was received so far. */
  soFar(): string;
}

export function rawConnection(t: ExecutionContext, port: number): RawConnection {
  const socket = connect({ port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  let text = '';
  const received = new Promise<string>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  });
  return { socket, received, soFar: () => text };
}

/** Plants another check in what the plugin nbd opens. */
export function checking(check: () => Promise<readonly string[]>) {
  return <P extends { readonly name: string; readonly provides: object }>(plugin: P): P => {
    if (plugin.name !== 'nbd') return plugin;
    const provides = Object.fromEntries(
      Object.entries(plugin.provides as Record<string, { open(...given: unknown[]): Promise<object> }>).map(([kind, provider]) => [
        kind,
        {
          ...provider,
          open: async (...given: unknown[]) =>
            new Proxy(await provider.open(...given), {
              get: (target, key) => {
                const value: unknown = Reflect.get(target, key, target);
                if (key === 'check') return check;
                return typeof value === 'function' ? value.bind(target) : value;
              },
            }),
        },
      ]),
    );
    return { ...plugin, provides } as P;
  };
}
