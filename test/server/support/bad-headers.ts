import type { BadRequest } from './bad-request.js';

const invalid = { status: 400, code: 'INVALID_ARGUMENT' } as const;
const outOfRange = { status: 400, code: 'OUT_OF_RANGE' } as const;
const forbidden = { status: 403, code: 'PERMISSION_DENIED' } as const;
type Refused = Pick<BadRequest, 'status' | 'code'>;

/** A body that would make a volume, with a header that is not legal. */
const create = (what: string, name: string, value: string, refused: Refused = invalid): BadRequest => ({
  what,
  path: '/v1/volumes',
  body: { size: '1MiB' },
  headers: [[name, value]],
  field: name,
  ...refused,
});
const twice = (what: string, name: string, one: string, other: string, field = name): BadRequest => ({
  what,
  path: '/v1/volumes',
  body: { size: '1MiB' },
  headers: [
    [name, one],
    [name, other],
  ],
  field,
  ...invalid,
});
const host = (what: string, given: string | null, refused: Refused = forbidden): BadRequest => ({
  what,
  path: '/v1/volumes',
  host: given,
  field: 'Host',
  ...refused,
});
const origin = (what: string, given: string, name?: string): BadRequest => ({
  ...create(what, 'Origin', given, forbidden),
  ...(name === undefined ? {} : { host: name }),
});
const length = (what: string, given: string, field = 'request'): BadRequest => ({
  ...create(what, 'X', 'x'),
  headers: [],
  length: given,
  field,
});
const follow = (what: string, value: string, refused: Refused = invalid, field = 'Last-Event-ID'): BadRequest => ({
  what,
  path: '/v1/events',
  headers: [['Last-Event-ID', value]],
  field,
  ...refused,
});

/** Headers that are wrong, or come from where nobody may ask. */
export const badHeaders: readonly BadRequest[] = [
  create('a wait that is no number', 'Prefer', 'wait=soon'),
  create('a wait without a number', 'Prefer', 'wait'),
  create('a wait that is empty', 'Prefer', 'wait='),
  create('a wait that is empty in quotes', 'Prefer', 'wait=""'),
  create('a wait of half a second', 'Prefer', 'wait=0.5'),
  create('a wait in hexadecimal', 'Prefer', 'wait=0x10'),
  create('a wait with an exponent', 'Prefer', 'wait=1e1'),
  create('a wait with a unit', 'Prefer', 'wait=10s'),
  create('a wait of infinity', 'Prefer', 'wait=Infinity'),
  create('a wait of 16 digits', 'Prefer', `wait=${'9'.repeat(16)}`),
  create('a wait of 301 s', 'Prefer', 'wait=301', outOfRange),
  create('a wait below 0', 'Prefer', 'wait=-1', outOfRange),
  create('a wrong wait behind another preference', 'Prefer', 'respond-async, wait=soon'),
  create('a wrong wait in capitals', 'Prefer', 'WAIT=soon'),
  create('a wrong wait with a parameter', 'Prefer', 'wait=soon; foo=bar'),
  create('a wait behind 31,000 spaces', 'Prefer', `wait=${' '.repeat(31_000)}"`),
  create('a wait of 31,000 quotes', 'Prefer', `wait=${'"'.repeat(31_000)}`),
  create('a wait of 10,000 equal signs', 'Prefer', `wait${'='.repeat(10_000)}`),
  create('an idempotency key that is empty', 'Idempotency-Key', ''),
  create('a key of 256 characters', 'Idempotency-Key', 'k'.repeat(256)),
  create('a key of a tabulator', 'Idempotency-Key', 'a\tb'),
  create('a key that is not ASCII', 'Idempotency-Key', 'clé'),
  twice('two keys', 'Idempotency-Key', 'one', 'two'),
  twice('the same key twice', 'Idempotency-Key', 'one', 'one'),
  twice('two types', 'Content-Type', 'application/json', 'text/plain'),
  host('no host', null, invalid),
  host('a host that is empty', '', invalid),
  host('the name of another host (DNS rebinding)', 'attacker.example'),
  host('another address', '192.0.2.1'),
  host('a host that begins as ours', 'localhost.attacker.example'),
  host('a host that ends as ours', 'attacker-localhost'),
  host('a host with a user', 'localhost@attacker.example'),
  host('a host with a path', 'localhost/x'),
  host('two hosts in one line', 'localhost, attacker.example'),
  host('a host with a port that is none', 'localhost:port'),
  host('a host with a port of six digits', 'localhost:123456'),
  host('an address in decimal', '2130706433'),
  host('an address of all', '0.0.0.0'),
  { ...host('a host with a control character', 'local\x7fhost', invalid), field: 'request' },
  { what: 'two hosts', path: '/v1/volumes', headers: [['Host', 'attacker.example']], field: 'Host', ...invalid },
  { what: 'the same host twice', path: '/v1/volumes', headers: [['Host', 'localhost']], field: 'Host', ...invalid },
  origin('a page of another site', 'https://attacker.example'),
  origin('a page of nowhere', 'null'),
  origin('a page of a file', 'file://'),
  origin('a page of another port', 'http://localhost:3000', 'localhost:80'),
  origin('a page of a host that begins as ours', 'http://localhost.attacker.example'),
  origin('an origin that is empty', ''),
  origin('an extension of a browser', 'chrome-extension://localhost'),
  create('a form of another site', 'Sec-Fetch-Site', 'cross-site', forbidden),
  { ...create('another expectation', 'Expect', '200-ok'), status: 417 },
  length('a length below 0', '-1'),
  length('a length that is no number', 'ten'),
  length('a length with a plus', '+16'),
  length('a length in hexadecimal', '0x10'),
  length('two lengths in one line', '16, 17'),
  length('a length of 30 digits', '9'.repeat(30)),
  length('a length of half a byte', '15.5'),
  twice('two more lengths', 'Content-Length', '15', '16', 'request'),
  { ...create('a length beside chunks', 'Transfer-Encoding', 'chunked'), field: 'request' },
  { ...create('a coding that there is not', 'Transfer-Encoding', 'x-rot13'), length: null, field: 'request' },
  { ...create('a coding behind chunks', 'Transfer-Encoding', 'chunked, identity'), length: null, field: 'request' },
  follow('an id of an event that is no number', 'last'),
  follow('an id of an event below 0', '-1'),
  follow('an id of an event of 16 digits', '9'.repeat(16)),
  follow('an id of an event with a fraction', '1.5'),
  follow('an id of an event that is yet to come', '999999', outOfRange, 'after'),
];
