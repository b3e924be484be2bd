import test from 'ava';
import { MiB, vmmHost } from '../support/store.js';
import { newServer, type TestServer } from './fixture.js';

interface Refused {
  readonly method?: string;
  readonly url?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly code?: string;
  /** Not looked at where it is not said. */
  readonly field?: string;
  readonly detail?: RegExp;
}

const refused = test.macro({
  title: (given) => `refusals › ${given}`,
  async exec(t, { method = 'POST', url = '/v1/volumes', body, headers, status, code = 'INVALID_ARGUMENT', field, detail }: Refused) {
    const { call } = await newServer(t);
    const answer = await call(method, url, { ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) });
    t.is(answer.status, status, answer.text);
    t.is(answer.body.code, code);
    if (field !== undefined) t.is(answer.body.context.field, field);
    if (detail !== undefined) t.regex(answer.body.detail, detail);
    t.deepEqual((await call('GET', '/v1/volumes')).body.items, []);
  },
});

const vol = '/v1/volumes/vol-00000000000000000';

test('a misspelt field, with the one that was meant', refused, {
  body: { siez: MiB },
  status: 400,
  field: 'siez',
  detail: /did you mean size\?/,
});
test('a field that is missing', refused, { body: {}, status: 400, field: 'size' });
test('a body that is missing', refused, { status: 400, field: 'body' });
test('a size that is none', refused, { body: { size: 'much' }, status: 400, field: 'size', detail: /64MiB/ });
test('a size of 0', refused, { body: { size: 0 }, status: 400, code: 'OUT_OF_RANGE', field: 'size' });
test('a size of half a byte', refused, { body: { size: 1.5 }, status: 400, field: 'size' });
test('a size that is true', refused, { body: { size: true }, status: 400, field: 'size' });
test('a comment that is a number', refused, {
  body: { size: MiB, comment: 5 },
  status: 400,
  field: 'comment',
  detail: /a text, not a number/,
});
test('broken JSON, with its place', refused, { body: '{"size": nope}', status: 400, field: 'body', detail: /character 10 on/ });
test('JSON without its end', refused, { body: '{"size": "1MiB"', status: 400, field: 'body', detail: /without its end/ });
test('a body that is a list', refused, { body: [], status: 400, field: 'body', detail: /a list/ });
test('a body that is null', refused, { body: 'null', status: 400, field: 'body' });
test('a body that is no UTF-8', refused, { body: Buffer.from([0x7b, 0xff, 0x7d]), status: 400, field: 'body', detail: /UTF-8/ });
test('a field __proto__', refused, { body: '{"size":1,"__proto__":{}}', status: 400, field: '__proto__' });
test('another content type', refused, { body: 'size=1', headers: { 'content-type': 'text/plain' }, status: 415, field: 'Content-Type' });
test('another charset', refused, {
  body: { size: 1 },
  headers: { 'content-type': 'application/json; charset=latin1' },
  status: 415,
  field: 'Content-Type',
});
test('a compressed body', refused, { body: { size: 1 }, headers: { 'content-encoding': 'gzip' }, status: 415, field: 'Content-Type' });
test('a body that is too long', refused, { body: { comment: 'x'.repeat(70_000) }, status: 413, code: 'OUT_OF_RANGE', field: 'body' });
test('a body where none is taken', refused, { method: 'DELETE', url: vol, body: { force: true }, status: 400, field: 'force' });
test('an unknown parameter', refused, {
  method: 'GET',
  url: '/v1/volumes?limt=5',
  status: 400,
  field: 'limt',
  detail: /did you mean limit/,
});
test('a parameter where there are none', refused, { method: 'GET', url: `${vol}?x=1`, status: 400, field: 'x', detail: /there are none/ });
test('a parameter that is given twice', refused, {
  method: 'GET',
  url: '/v1/volumes?limit=5&limit=6',
  status: 400,
  field: 'limit',
  detail: /2 times/,
});
test('a limit that is no number', refused, { method: 'GET', url: '/v1/volumes?limit=ten', status: 400, field: 'limit' });
test('a limit in hexadecimal', refused, { method: 'GET', url: '/v1/volumes?limit=0x10', status: 400, field: 'limit' });
test('a limit of 0', refused, {
  method: 'GET',
  url: '/v1/volumes?limit=0',
  status: 400,
  code: 'OUT_OF_RANGE',
  field: 'limit',
  detail: /1 to 1000/,
});
test('a limit of 1001', refused, { method: 'GET', url: '/v1/volumes?limit=1001', status: 400, code: 'OUT_OF_RANGE', field: 'limit' });
test('a state that there is not', refused, {
  method: 'GET',
  url: '/v1/volumes?state=availabel',
  status: 400,
  field: 'state',
  detail: /did you mean available/,
});
test('a cursor that was made up', refused, { method: 'GET', url: '/v1/volumes?cursor=abc', status: 400, field: 'cursor' });
test('an id of another kind among ids', refused, {
  method: 'GET',
  url: `/v1/volumes?ids=op-00000000000000000`,
  status: 400,
  field: 'ids[0]',
});
test('ids that there are not', refused, {
  method: 'GET',
  url: `/v1/volumes?ids=vol-00000000000000000`,
  status: 404,
  code: 'NOT_FOUND',
  field: 'ids',
});
test('an id of another form', refused, {
  method: 'GET',
  url: '/v1/volumes/vol-1',
  status: 400,
  field: 'id',
  detail: /vol- and 17 hex digits/,
});
test('a path in an id', refused, { method: 'GET', url: '/v1/volumes/..%2f..%2fetc%2fpasswd', status: 400, field: 'id' });
test('half a percent sign in an id', refused, { method: 'GET', url: '/v1/volumes/%zz', status: 400, field: 'path' });
test('a very long id', refused, { method: 'GET', url: `/v1/volumes/${'a'.repeat(300)}`, status: 414, code: 'OUT_OF_RANGE', field: 'path' });
test('an unknown id', refused, { method: 'GET', url: vol, status: 404, code: 'NOT_FOUND', field: 'id' });
test('an unknown operation', refused, {
  method: 'GET',
  url: '/v1/operations/op-00000000000000000',
  status: 404,
  code: 'NOT_FOUND',
  field: 'id',
});
test('a path that is not there', refused, {
  method: 'GET',
  url: '/v1/volume',
  status: 404,
  code: 'NOT_FOUND',
  field: 'path',
  detail: /\/v1\/volumes/,
});
test('another path, before its body is looked at', refused, {
  url: '/nowhere',
  body: 'x',
  headers: { 'content-type': 'text/plain' },
  status: 404,
  code: 'NOT_FOUND',
  field: 'path',
});
test('a wait that is no number', refused, { body: { size: 1 }, headers: { prefer: 'wait=soon' }, status: 400, field: 'Prefer' });
test('a wait of 301 s', refused, {
  body: { size: 1 },
  headers: { prefer: 'wait=301' },
  status: 400,
  code: 'OUT_OF_RANGE',
  field: 'Prefer',
});
test('a negative wait', refused, { body: { size: 1 }, headers: { prefer: 'wait=-1' }, status: 400, code: 'OUT_OF_RANGE', field: 'Prefer' });
test('an empty key', refused, { body: { size: 1 }, headers: { 'idempotency-key': '' }, status: 400, field: 'Idempotency-Key' });
test('a key of 256 characters', refused, {
  body: { size: 1 },
  headers: { 'idempotency-key': 'k'.repeat(256) },
  status: 400,
  field: 'Idempotency-Key',
});
test('an unknown backend', refused, { body: { size: 1, backend: 'vs9/x' }, status: 404, code: 'NOT_FOUND', field: 'backend' });
test('an unknown VMM host', refused, {
  url: `${vol}/attachments`,
  body: { vmmHost: 'elsewhere', vmId: 'vm1', device: 'xvdb' },
  status: 404,
  code: 'NOT_FOUND',
});
test('a device that is a path', refused, {
  url: `${vol}/attachments`,
  body: { vmmHost, vmId: 'vm1', device: '../sda' },
  status: 400,
  field: 'device',
});
test('the name of another host (DNS rebinding)', refused, {
  body: { size: 1 },
  headers: { host: 'attacker.example' },
  status: 403,
  code: 'PERMISSION_DENIED',
  field: 'Host',
});
test('a page of another site', refused, {
  body: { size: 1 },
  headers: { origin: 'https://attacker.example' },
  status: 403,
  code: 'PERMISSION_DENIED',
  field: 'Origin',
});
test('a page of another port of this host', refused, {
  body: { size: 1 },
  headers: { host: 'localhost:80', origin: 'http://localhost:3000' },
  status: 403,
  code: 'PERMISSION_DENIED',
  field: 'Origin',
});
test('a page without an origin', refused, {
  body: { size: 1 },
  headers: { origin: 'null' },
  status: 403,
  code: 'PERMISSION_DENIED',
  field: 'Origin',
});
test('a form of another site', refused, {
  body: { size: 1 },
  headers: { 'sec-fetch-site': 'cross-site' },
  status: 403,
  code: 'PERMISSION_DENIED',
  field: 'Sec-Fetch-Site',
});

test('refusals › a method that a path does not have is 405 with Allow, and OPTIONS says what there is', async (t) => {
  const { call } = await newServer(t);
  const wrong = await call('PUT', vol);
  t.is(wrong.status, 405);
  t.is(wrong.headers.allow, 'DELETE, GET, HEAD, OPTIONS');
  t.like(wrong.body, { code: 'INVALID_ARGUMENT', context: { field: 'method' } });
  const options = await call('OPTIONS', vol);
  t.is(options.status, 204);
  t.is(options.headers.allow, 'DELETE, GET, HEAD, OPTIONS');
  t.is(options.headers['access-control-allow-origin'], undefined);
});

test('refusals › the own page, and other names when they are configured, are let in', async (t) => {
  const { call } = await newServer(t);
  t.is((await call('GET', '/v1/volumes', { headers: { host: '[::1]:8080', origin: 'http://[::1]:8080' } })).status, 200);
  t.is((await call('GET', '/v1/volumes', { headers: { host: 'LOCALHOST' } })).status, 200);
});

test('HEAD › answers what GET does, without its body', async (t) => {
  const { call } = await newServer(t);
  const head = await call('HEAD', '/v1/volumes');
  t.is(head.status, 200);
  t.is(head.text, '');
  const refusedHead = await call('HEAD', '/nowhere');
  t.is(refusedHead.status, 404);
  t.is(refusedHead.text, '');
});

const requestId = test.macro({
  title: (given) => `X-Request-Id › ${given}`,
  async exec(t, id: string, taken: boolean) {
    const { call }: TestServer = await newServer(t);
    const { headers } = await call('GET', '/healthz', { headers: { 'x-request-id': id } });
    if (taken) t.is(headers['x-request-id'], id);
    else t.regex(String(headers['x-request-id']), /^req-[0-9a-f-]{36}$/);
  },
});
test('a sane one is kept', requestId, 'abc-123_X.~', true);
test('a long one is replaced', requestId, 'a'.repeat(65), false);
test('one that would split a line is replaced', requestId, 'a b"}', false);
