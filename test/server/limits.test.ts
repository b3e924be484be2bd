import test from 'ava';
import { MiB, until } from '../support/store.js';
import { newService, rawConnection } from './fixture.js';

/** The head and the body of the one answer of a connection. */
function answerOf(text: string): {
  readonly status: number;
  readonly head: string;
  readonly body: { code: string; context: Record<string, unknown> };
} {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body: JSON.parse(body) };
}

const quick = { headersMs: 1_000, requestMs: 2_000 } as const;
const socket = null;

test('limits › headers that come too slowly end with 408', async (t) => {
  const { port } = await newService(t, { limits: quick, socket });
  const { socket: slow, received } = rawConnection(t, port);
  slow.write('GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nX-');
  const { status, head, body } = answerOf(await received);
  t.is(status, 408);
  t.is(body.code, 'DEADLINE_EXCEEDED');
  t.regex(head, /content-type: application\/problem\+json/);
  t.regex(head, /connection: close/);
});

test('limits › a body that comes too slowly ends with 408', async (t) => {
  const { port, call } = await newService(t, { limits: quick, socket });
  const { socket: slow, received } = rawConnection(t, port);
  slow.write('POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"size"');
  t.is(answerOf(await received).status, 408);
  t.deepEqual((await call('GET', '/v1/volumes')).body.items, []);
});

test('limits › headers that are too long end with 431', async (t) => {
  const { port } = await newService(t, { socket });
  const { socket: long, received } = rawConnection(t, port);
  long.write(`GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(33_000)}\r\n\r\n`);
  const { status, body } = answerOf(await received);
  t.is(status, 431);
  t.like(body, { code: 'OUT_OF_RANGE', context: { field: 'headers', limitBytes: 32_768 } });
});

test('limits › the ids of a whole page fit into a request', async (t) => {
  const { call } = await newService(t, { socket });
  const ids = Array.from({ length: 1_000 }, (_, n) => `vol-${String(n).padStart(17, '0')}`).join(',');
  const answer = await call('GET', `/v1/volumes?ids=${ids}`);
  t.is(answer.status, 404);
  t.is(answer.body.context.ids.length, 1_000);
});

test('limits › a huge body ends with 413 that the client can read, with a length and without', async (t) => {
  const { port } = await newService(t, { socket });
  const head = 'POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const whole = rawConnection(t, port);
  whole.socket.write(`${head}Content-Length: ${8 * MiB}\r\n\r\n`);
  whole.socket.write('x'.repeat(8 * MiB));
  await until('it is answered', () => whole.soFar().includes('limitBytes'));
  t.is(answerOf(whole.soFar()).status, 413);
  const parts = rawConnection(t, port);
  parts.socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  for (let n = 0; n < 16; n++) parts.socket.write(chunk);
  await until('it is answered', () => parts.soFar().includes('limitBytes'));
  t.is(answerOf(parts.soFar()).status, 413);
});

test('limits › a connection too many is closed, and one that ended makes room', async (t) => {
  const { port } = await newService(t, { limits: { connections: 2 }, socket });
  const held = [rawConnection(t, port), rawConnection(t, port)];
  const ask = (connection: (typeof held)[number]) => connection.socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  for (const connection of held) ask(connection);
  for (const connection of held) await until('it is answered', () => connection.soFar().includes('"ok"'));
  t.is(await rawConnection(t, port).received, '');
  held[0]?.socket.end();
  await until('there is room again', async () => {
    const next = rawConnection(t, port);
    ask(next);
    next.socket.end();
    return (await next.received).includes('"ok"');
  });
  t.pass();
});

const garbage = test.macro({
  title: (given) => `limits › ${given} is a problem document, and the connection ends`,
  async exec(t, bytes: string, status: number) {
    const { port } = await newService(t, { socket });
    const { socket: wrong, received } = rawConnection(t, port);
    wrong.write(bytes);
    const answer = answerOf(await received);
    t.is(answer.status, status);
    t.is(answer.body.code, 'INVALID_ARGUMENT');
  },
});
test('garbage', garbage, '\x00\x01\x02 garbage\r\n\r\n', 400);
test('a method that there is not', garbage, 'FETCH / HTTP/1.1\r\n\r\n', 400);
test('a header that is none', garbage, 'GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n', 400);
test('two lengths', garbage, 'POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400);
test(
  'a length beside chunks',
  garbage,
  'POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  400,
);
test('a request for a proxy', garbage, 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n', 400);
test('another expectation', garbage, 'POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\nContent-Length: 0\r\n\r\n', 417);

test('limits › a request without a host is refused', async (t) => {
  const { port } = await newService(t, { socket });
  const { socket: hostless, received } = rawConnection(t, port);
  hostless.end('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n');
  const { status, body } = answerOf(await received);
  t.is(status, 400);
  t.is(body.context.field, 'Host');
});

test('limits › more waits than allowed are refused before anything is begun', async (t) => {
  const { call } = await newService(t, { limits: { waits: 1 }, socket });
  const wait = { headers: { prefer: 'wait=300' } };
  const statuses = await Promise.all(
    Array.from({ length: 4 }, async () => (await call('POST', '/v1/volumes', { body: { size: MiB }, ...wait })).status),
  );
  t.true(statuses.every((status) => status === 201 || status === 503));
  const { body: listed } = await call('GET', '/v1/volumes');
  t.is(listed.items.length, statuses.filter((status) => status === 201).length);
});

test('limits › one that is none is a programmer mistake', async (t) => {
  await t.throwsAsync(newService(t, { limits: { connections: 0 } }), { instanceOf: TypeError });
  await t.throwsAsync(newService(t, { limits: { bodyByte: 1 } as never }), { instanceOf: TypeError });
});
