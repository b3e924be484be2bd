import type { BadRequest } from './bad-request.js';

const invalid = { status: 400, code: 'INVALID_ARGUMENT', path: '', field: 'request' } as const;
const raw = (what: string, bytes: string | Buffer, refused: Partial<BadRequest> = {}): BadRequest => ({
  what,
  raw: bytes,
  ...invalid,
  ...refused,
});
const post = 'POST /v1/volumes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`;
const get = 'GET /v1/volumes HTTP/1.1\r\nHost: localhost\r\n';
const badMethod = { field: 'method' } as const;
/** The first bytes of TLS 1.2: a record of a handshake, a ClientHello. */
const tlsHello = Buffer.from('1603010200010001fc0303', 'hex');

/** What is no HTTP/1.1 at all, or of two minds about where it ends. */
export const badRaw: readonly BadRequest[] = [
  raw('garbage', '\x00\x01\x02 garbage\r\n\r\n', badMethod),
  raw('a hello of TLS', Buffer.concat([tlsHello, Buffer.alloc(64)]), badMethod),
  raw('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  raw('a greeting of NBD', 'NBDMAGICIHAVEOPT\r\n\r\n', badMethod),
  raw('a method that there is not', 'FETCH / HTTP/1.1\r\nHost: localhost\r\n\r\n', badMethod),
  raw('a method in small letters', 'get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', badMethod),
  raw('a request without a path', 'GET HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  raw('a request of another protocol', 'GET / ICY/1.0\r\nHost: localhost\r\n\r\n'),
  raw('a version that there is not', 'GET / HTTP/9.9\r\nHost: localhost\r\n\r\n'),
  raw('a request of HTTP/0.9', 'GET /\r\n\r\n', { field: 'Host' }),
  raw('a control character in a path', 'GET /v1/\x01volumes HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  raw('a space in a path', 'GET /v1/ volumes HTTP/1.1\r\nHost: localhost\r\n\r\n'),
  raw('a header without a colon', 'GET /healthz HTTP/1.1\r\nHost localhost\r\n\r\n'),
  raw('a header without a name', `${get}: x\r\n\r\n`),
  raw('a space before a colon', 'GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n'),
  raw('a header that goes on in the next line', `${get}X-Long: a\r\n b\r\n\r\n`),
  raw('a NUL in a header', `${get}X-Nul: a\x00b\r\n\r\n`),
  raw('an end of line of CR alone', `${get}X-Cr: a\rX-Evil: 1\r\n\r\n`),
  raw('a header of 33,000 bytes', `${get}X-Long: ${'x'.repeat(33_000)}\r\n\r\n`, { status: 431, code: 'OUT_OF_RANGE', field: 'headers' }),
  raw('8,000 headers', `${get}${'X: y\r\n'.repeat(8_000)}\r\n`, { status: 431, code: 'OUT_OF_RANGE', field: 'headers' }),
  raw('a name of a header of 33,000 bytes', `${get}${'x'.repeat(33_000)}: y\r\n\r\n`, {
    status: 431,
    code: 'OUT_OF_RANGE',
    field: 'headers',
  }),
  raw('a request for a proxy', 'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n', badMethod),
  raw('a request of HTTP/1.0 without a host', 'GET /v1/volumes HTTP/1.0\r\n\r\n', { field: 'Host' }),
  raw('a length before chunks', `${post}Content-Length: 15\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  raw('chunks beside a length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 15\r\n\r\n0\r\n\r\n`),
  raw('chunks in a name with a space', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`),
  raw('chunks behind a vertical tabulator', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`),
  raw('chunks twice', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n`),
  raw('chunks in HTTP/1.0', `${chunked.replace('1.1', '1.0')}f\r\n{"size":"1MiB"}x\r\n0\r\n\r\n`),
  raw('a chunk with a length that is none', `${chunked}xyz\r\n{"size":"1MiB"}\r\n0\r\n\r\n`),
  raw('a chunk with a length below 0', `${chunked}-1\r\n{"size":"1MiB"}\r\n0\r\n\r\n`),
  raw('a chunk with a length in 0x', `${chunked}0xf\r\n{"size":"1MiB"}\r\n0\r\n\r\n`),
  raw('a chunk with a length of 20 digits', `${chunked}${'f'.repeat(20)}\r\n{"size":"1MiB"}\r\n0\r\n\r\n`),
  raw('a chunk that is longer than it says', `${chunked}5\r\n{"size":"1MiB"}\r\n0\r\n\r\n`),
  raw('a chunk with a long extension', `${chunked}f;${'x'.repeat(20_000)}\r\n{"size":"1MiB"}\r\n0\r\n\r\n`, {
    status: 413,
    code: 'OUT_OF_RANGE',
    field: 'body',
  }),
  raw('an empty body of chunks', `${chunked}0\r\n\r\n`, { field: 'body' }),
  raw('a broken body in chunks', `${chunked}7\r\n{"size"\r\n0\r\n\r\n`, { field: 'body' }),
  raw('a body that is shorter than it says', `${post}Content-Length: 99\r\n\r\n{"size":"1MiB"}`, { ends: true }),
  raw('chunks that are cut', `${chunked}f\r\n{"size":"1M`, { ends: true }),
  raw('chunks that end without the last one', `${chunked}f\r\n{"size":"1MiB"}\r\n`, { ends: true }),
  raw('headers that are cut', 'GET /v1/volumes HTTP/1.1\r\nHo', { ends: true }),
];

const slow = { status: 408, code: 'DEADLINE_EXCEEDED', path: '', field: null } as const;

/** What never comes to its end, and holds a connection until a limit ends it. */
export const badSlow: readonly BadRequest[] = [
  { what: 'a method that never ends', raw: 'POST', ...slow },
  { what: 'headers that never end', raw: `${get}X-`, ...slow },
  { what: 'headers without their last line', raw: get, ...slow },
  { what: 'a body that does not come', raw: `${post}Content-Length: 15\r\n\r\n`, ...slow },
  { what: 'a body that stays half', raw: `${post}Content-Length: 15\r\n\r\n{"size"`, ...slow },
  { what: 'a body whose last byte is missing', raw: `${post}Content-Length: 16\r\n\r\n{"size":"1MiB"}`, ...slow },
  { what: 'a chunk that stays half', raw: `${chunked}f\r\n{"size"`, ...slow },
  { what: 'chunks without the last one', raw: `${chunked}f\r\n{"size":"1MiB"}\r\n`, ...slow },
  { what: 'a length of a chunk that never ends', raw: `${chunked}f`, ...slow },
];
