import { request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import test, { type ExecutionContext } from 'ava';
import { MiB, silent, until } from '../support/store.js';
import { newServer, type ServerFixture, type TestServer } from './fixture.js';

interface Stream {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** All that came so far. */
  text(): string;
  ended(): boolean;
  close(): void;
}

/** Opens a stream of events; ended with the test. */
function follow(t: ExecutionContext, port: number, query = '', headers: Readonly<Record<string, string>> = {}): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path: `/v1/events${query}`, headers, agent: false }, (response) => {
      let text = '';
      let ended = false;
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('close', () => {
        ended = true;
      });
      response.on('error', () => undefined);
      const { statusCode: status = 0, headers: told } = response;
      resolve({ status, headers: told, text: () => text, ended: () => ended, close: () => request.destroy() });
    });
    t.teardown(() => request.destroy());
    request.on('error', reject);
    request.end();
  });
}

async function listening(t: ExecutionContext, options: ServerFixture = {}): Promise<TestServer & { readonly port: number }> {
  const server = await newServer(t, options);
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  return { ...server, port: (server.app.server.address() as AddressInfo).port };
}

const idsOf = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));
const typesOf = (text: string): string[] => [...text.matchAll(/^event: (.+)$/gm)].map((match) => match[1] ?? '');

test('events › are streamed as they come, each an Event with its sequence', async (t) => {
  const { port, volume } = await listening(t);
  const stream = await follow(t, port);
  t.is(stream.status, 200);
  t.is(stream.headers['content-type'], 'text/event-stream');
  t.is(stream.headers['x-content-type-options'], 'nosniff');
  const { id } = await volume(MiB);
  await until('all came', () => typesOf(stream.text()).includes('operation.succeeded'));
  t.deepEqual(typesOf(stream.text()), ['volume.pending', 'operation.started', 'volume.available', 'operation.succeeded']);
  const data = JSON.parse(/^data: (.+)$/m.exec(stream.text())?.[1] ?? '');
  t.like(data, { sequence: idsOf(stream.text())[0], type: 'volume.pending', resourceId: id });
});

test('events › go on behind the last one, by ?after and by Last-Event-ID', async (t) => {
  const { port, volume } = await listening(t);
  await volume(MiB);
  const all = await follow(t, port, '?after=0');
  await until('all came', () => idsOf(all.text()).length === 4);
  const [, second = 0, ...rest] = idsOf(all.text());
  for (const again of [await follow(t, port, `?after=${second}`), await follow(t, port, '?after=0', { 'last-event-id': String(second) })]) {
    await until('the rest came', () => idsOf(again.text()).length >= 2);
    t.deepEqual(idsOf(again.text()), rest);
  }
});

test('events › what is not kept any more, or never was, is refused before the head', async (t) => {
  const { port, call, volume, directory } = await listening(t);
  await volume(MiB);
  const database = await openDatabase({ client: 'sqlite3', filename: join(directory, 'vbs.sqlite') }, { log: silent });
  await database.knex('events').where('seq', '<=', 2).delete();
  await database.close();
  for (const query of ['?after=1', '?after=9999']) {
    const gone = await call('GET', `/v1/events${query}`);
    t.is(gone.status, 400);
    t.like(gone.body, { code: 'OUT_OF_RANGE', context: { field: 'after', least: 2, most: 4 } });
  }
  t.is((await follow(t, port, '?after=2')).status, 200);
  t.is((await call('GET', '/v1/events', { headers: { 'last-event-id': 'x' } })).body.context.field, 'Last-Event-ID');
  t.is((await call('GET', '/v1/events?after=-1')).body.code, 'OUT_OF_RANGE');
});

test('events › a quiet stream has heartbeats, and HEAD has no stream', async (t) => {
  const { port, call } = await listening(t, { limits: { heartbeatMs: 20 } });
  const stream = await follow(t, port);
  await until('two heartbeats', () => (stream.text().match(/^: still here$/gm)?.length ?? 0) >= 2);
  t.is((await call('HEAD', '/v1/events')).headers['content-type'], 'text/event-stream');
});

test('events › no more streams than allowed; one that was ended makes room', async (t) => {
  const { port, call, metrics } = await listening(t, { limits: { eventStreams: 2 } });
  const first = await follow(t, port);
  await follow(t, port);
  const refused = await call('GET', '/v1/events');
  t.is(refused.status, 503);
  t.like(refused.body, { code: 'UNAVAILABLE', retry: 'backoff' });
  t.is(refused.headers['retry-after'], '1');
  first.close();
  await until('one is closed', async () => /^vbs_event_streams 1$/m.test(await metrics.registry.metrics()));
  t.is((await follow(t, port)).status, 200);
});

test('events › a reader that takes nothing is ended, and nothing is kept for it', async (t) => {
  const { app, metrics, port, store, volume } = await listening(t, {
    limits: { slowReaderMs: 100 },
    routed: (opened) =>
      new Proxy(opened, {
        get(target, key) {
          if (key !== 'events') return Reflect.get(target, key, target).bind?.(target) ?? Reflect.get(target, key, target);
          return (options: { signal: AbortSignal }) => manyEvents(options.signal);
        },
      }),
  });
  t.truthy(store && volume);
  const stalled = httpRequest({ host: '127.0.0.1', port, path: '/v1/events', agent: false }, (response) => response.pause());
  t.teardown(() => stalled.destroy());
  stalled.on('error', () => undefined);
  stalled.end();
  await until(
    'it is ended',
    async () => (await app.server.listening) && pulled > 0 && /^vbs_event_streams 0$/m.test(await metrics.registry.metrics()),
  );
  t.true(pulled < 100_000, 'pulled only what the connection took');
});

let pulled = 0;

/** More events than any buffer of a connection holds. */
async function* manyEvents(signal: AbortSignal) {
  while (!signal.aborted && pulled < 1_000_000) {
    pulled += 1;
    yield {
      sequence: pulled,
      at: new Date().toISOString(),
      type: 'test',
      resourceId: 'r',
      operationId: null,
      data: { text: 'x'.repeat(1_000) },
    };
  }
}

test('events › a stream has its line in the log when its reader goes', async (t) => {
  const lines: object[] = [];
  const log = { ...silent, info: (fields: object) => void lines.push(fields) };
  const { port } = await listening(t, { log });
  const stream = await follow(t, port);
  stream.close();
  await until('it is logged', () => lines.some((fields) => 'route' in fields && fields.route === '/v1/events'));
  t.like(lines.at(-1), { status: 200, clientGone: true });
});

test('events › streams end when the server closes', async (t) => {
  const { app, port } = await listening(t);
  const stream = await follow(t, port);
  await app.close();
  await until('it is ended', stream.ended);
  t.pass();
});
