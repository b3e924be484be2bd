import test from 'ava';
import { newService } from './fixture.js';
import { Wire } from './support/bad-wire.js';

const host = 'Host: localhost\r\n';
const post = `POST /v1/volumes HTTP/1.1\r\n${host}Content-Type: application/json\r\n`;
const get = `GET /v1/volumes HTTP/1.1\r\n${host}`;
const body = '{"size":"1MiB"}';
const create = (headers: string, given = body): string => `${post}Content-Length: ${Buffer.byteLength(given)}\r\n${headers}\r\n${given}`;

/** What looks bad, and is legal: it is answered, and the next request on the connection is not taken for a part of it. */
const isTaken = test.macro({
  title: (given) => `bad requests › ${given} is no fault, and its end is found`,
  async exec(t, bytes: string, statuses: readonly number[], made: number) {
    const { port, call } = await newService(t, { socket: null });
    const wire = new Wire(port);
    t.teardown(() => wire.close());
    wire.write(Buffer.from(`${bytes}GET /healthz HTTP/1.1\r\n${host}\r\n`, 'utf8'));
    for (const status of [...statuses, 200]) t.is((await wire.answer())?.status, status);
    t.is((await call('GET', '/v1/volumes')).body.items.length, made);
  },
});

test('a client that takes no JSON (RFC 9110, 12.5.1)', isTaken, `${get}Accept: text/html\r\n\r\n`, [200], 0);
test('a client that takes nothing', isTaken, `${get}Accept: */*;q=0\r\n\r\n`, [200], 0);
test('a body of a GET', isTaken, `${get}Content-Length: ${body.length}\r\n\r\n${body}`, [200], 0);
test('a request in the body of a GET', isTaken, `${get}Content-Length: ${create('').length}\r\n\r\n${create('')}`, [200], 0);
test(
  'a request in chunks of a GET',
  isTaken,
  `${get}Transfer-Encoding: chunked\r\n\r\n${create('').length.toString(16)}\r\n${create('')}\r\n0\r\n\r\n`,
  [200],
  0,
);
test('a request in a body that is refused', isTaken, create('', create('')), [400], 0);
test('a request in a body of a path that is not there', isTaken, create('', create('')).replace('/v1/volumes', '/nowhere'), [404], 0);
test('a request in a body of a method that is not there', isTaken, create('', create('')).replace('POST', 'PATCH'), [405], 0);
test('a request in a body of another host', isTaken, create('', create('')).replace('localhost', 'example.org'), [403], 0);
test('a request in a body of plain text', isTaken, create('', create('')).replace('application/json', 'text/plain'), [415], 0);
test('a body that waits to be asked for', isTaken, create('Expect: 100-continue\r\n'), [100, 201], 1);
test('a preference of others', isTaken, create('Prefer: return=minimal, handling=lenient; x="y", ,;,=, é\r\n'), [201], 1);
test('a preference that is given twice, of which the first one counts', isTaken, create('Prefer: wait=5\r\nPrefer: wait=no\r\n'), [201], 1);
test('a wait in quotes', isTaken, create('Prefer: WAIT = "5" ; x=y\r\n'), [201], 1);
test('the whole address of this server', isTaken, `GET http://localhost/v1/volumes HTTP/1.1\r\n${host}\r\n`, [200], 0);
test('a mark of UTF-8 before the body (RFC 8259, 8.1)', isTaken, create('', `\ufeff${body}`), [201], 1);
test(
  'a trailer behind chunks',
  isTaken,
  `${post}Transfer-Encoding: chunked\r\n\r\nf\r\n${body}\r\n0\r\nIdempotency-Key: x\r\nHost: example.org\r\n\r\n`,
  [201],
  1,
);
test('the same key in two texts and values', isTaken, create('', '{"size":"1MiB","comment":"\\"size\\":{[size"}'), [201], 1);
test(
  'ten requests at once',
  isTaken,
  `${get}\r\n`.repeat(10),
  Array.from({ length: 10 }, () => 200),
  0,
);

test('bad requests › an upgrade to a protocol that is not spoken is answered in HTTP/1.1, and so is what follows', async (t) => {
  const { port } = await newService(t, { socket: null });
  const wire = new Wire(port);
  t.teardown(() => wire.close());
  wire.write(`${get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`);
  t.is((await wire.answer())?.status, 200);
  wire.write(`${get}\r\n`);
  t.is((await wire.answer())?.status, 200);
});

const behind = test.macro({
  title: (given) => `bad requests › ${given} behind a good request is never taken for its answer, and ends the connection`,
  async exec(t, garbage: string) {
    const { port, call } = await newService(t, { socket: null });
    const wire = new Wire(port);
    t.teardown(() => wire.close());
    wire.write(`${create('')}${garbage}`);
    const answer = await wire.answer();
    t.is(answer?.status, 201);
    t.is(await wire.rest(), '');
    t.deepEqual(
      (await call('GET', '/v1/volumes')).body.items.map(({ id }: { id: string }) => id),
      [JSON.parse(answer?.text ?? '').id],
    );
  },
});
test('garbage', behind, '\x00garbage\r\n\r\n');
test('a request with two lengths', behind, `${post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`);
test('a header that is too long', behind, `${get}X-Long: ${'x'.repeat(40_000)}\r\n\r\n`);
