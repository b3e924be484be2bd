import { gzipSync } from 'node:zlib';
import { type BadRequest, bodyTo, outOfRange } from './bad-request.js';

const create = bodyTo('/v1/volumes');
const body = (what: string, given: unknown, detail?: RegExp): BadRequest =>
  create(what, given, 'body', detail === undefined ? {} : { detail });
const typed = (what: string, type: string | null): BadRequest => ({
  ...create(what, '{"size":1048576}', 'Content-Type', { status: 415 }),
  type,
});
const encoded = (what: string, encoding: string, given: Buffer | string): BadRequest => ({
  ...create(what, given, 'Content-Type', { status: 415 }),
  headers: [['Content-Encoding', encoding]],
});

const whole = '{"size":"1MiB","comment":"é \\u00e9"}';
/** Each beginning of a body but the empty one. */
const cuts = Array.from({ length: whole.length - 1 }, (_, index) =>
  body(`JSON that is cut behind ${index + 1} characters`, whole.slice(0, index + 1), /without its end/),
);
const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();
const utf32le = (text: string): Buffer => Buffer.concat([...text].map((one) => Buffer.from([one.charCodeAt(0), 0, 0, 0])));
const json = (...bytes: number[]): Buffer => Buffer.concat([Buffer.from('{"size":1,"comment":"'), Buffer.from(bytes), Buffer.from('"}')]);

const notJson: readonly (readonly [what: string, given: string])[] = [
  ['garbage', 'size'],
  ['a form', 'size=1MiB'],
  ['XML', '<?xml version="1.0"?><size>1</size>'],
  ['YAML', 'size: 1MiB'],
  ['single quotes', "{'size':1}"],
  ['a key without quotes', '{size:1}'],
  ['a trailing comma', '{"size":1,}'],
  ['a leading comma', '{,"size":1}'],
  ['two commas', '{"size":1,,"comment":""}'],
  ['a comment of C', '{"size":1/* */}'],
  ['a comment of a shell', '{"size":1} # one'],
  ['NaN', '{"size":NaN}'],
  ['Infinity', '{"size":Infinity}'],
  ['undefined', '{"size":undefined}'],
  ['True', '{"size":True}'],
  ['a number with a plus', '{"size":+1}'],
  ['a number with a leading 0', '{"size":01}'],
  ['a number in hexadecimal', '{"size":0x1}'],
  ['a number that begins with a point', '{"size":.5}'],
  ['a number that ends with a point', '{"size":1.}'],
  ['an end of line in a text', '{"size":"1\nMiB"}'],
  ['a tabulator in a text', '{"size":"1\tMiB"}'],
  ['an escape that there is not', '{"size":"\\x31"}'],
  ['half an escape', '{"size":"\\u00"}'],
  ['a closing bracket of a list', '{"size":1]'],
  ['a second closing bracket', '{"size":1}}'],
  ['a second object', '{"size":1}{"size":2}'],
  ['a second line', '{"size":1}\n{"size":2}'],
  ['trailing bytes', '{"size":1} x'],
  ['a trailing NUL', '{"size":1}\0'],
  ['a leading NUL', '\0{"size":1}'],
  ['a no-break space', '{"size":\u00a01}'],
  ['a guard of others', ')]}\',\n{"size":1}'],
  ['a broken deep list', '['.repeat(30_000)],
  ['a broken deep object', '{"a":'.repeat(10_000)],
];
const notObjects: readonly (readonly [what: string, given: string])[] = [
  ['a list', '[]'],
  ['a list of requests', '[{"size":1},{"size":1}]'],
  ['null', 'null'],
  ['true', 'true'],
  ['a number', '1048576'],
  ['a text', '"64MiB"'],
  ['a text with an escape', '"\\u001b[2J"'],
  ['a text that turns its direction', '"\u202e"'],
  ['a long text', `"${'x'.repeat(60_000)}"`],
  ['a deep list', `${'['.repeat(30_000)}${']'.repeat(30_000)}`],
];
const keys: readonly (readonly [what: string, given: string, field: string])[] = [
  ['__proto__', '{"size":1,"__proto__":{"size":2}}', '__proto__'],
  ['__proto__ alone', '{"__proto__":{"size":1}}', '__proto__'],
  ['__proto__ by escapes', '{"size":1,"\\u005f_proto__":{}}', '__proto__'],
  ['constructor', '{"size":1,"constructor":{"prototype":{"x":1}}}', 'constructor'],
  ['prototype', '{"size":1,"prototype":{}}', 'prototype'],
  ['toString', '{"size":1,"toString":1}', 'toString'],
  ['hasOwnProperty', '{"size":1,"hasOwnProperty":1}', 'hasOwnProperty'],
  ['that is empty', '{"size":1,"":1}', ''],
  ['of digits', '{"size":1,"0":1}', '0'],
  ['with a space behind it', '{"size":1,"comment ":"x"}', 'comment '],
  ['id', '{"size":1,"id":"vol-00000000000000000"}', 'id'],
  ['state', '{"size":1,"state":"available"}', 'state'],
  ['clientToken', '{"size":1,"clientToken":"x"}', 'clientToken'],
  ['wait', '{"size":1,"wait":true}', 'wait'],
];
const repeated: readonly (readonly [what: string, given: string])[] = [
  ['twice', '{"size":"1MiB","size":"1GiB"}'],
  ['twice with the same value', '{"size":1,"comment":"x","size":1}'],
  ['twice, once by an escape', '{"size":1,"\\u0073ize":2}'],
  ['twice, behind a text with quotes', '{"comment":"\\"size\\":{","size":1,"size":2}'],
];

/** Bodies that are no JSON object in UTF-8, or hold keys that are none of ours. */
export const badBodies: readonly BadRequest[] = [
  ...cuts,
  ...notJson.map(([what, given]) => body(`JSON with ${what}`, given)),
  ...notObjects.map(([what, given]) => body(`a body that is ${what}`, given, /must be a JSON object/)),
  ...keys.map(([what, given, field]) => create(`a key ${what}`, given, field)),
  ...repeated.map(([what, given]) => create(`a key that is given ${what}`, given, 'size')),
  create('a key with an end of line', '{"size":1,"a\\nb":1}', 'a\\u000ab'),
  create('a key that turns its direction', '{"size":1,"a\u202eb":1}', 'a\\u202eb'),
  create('a key with half of a surrogate', '{"size":1,"\\ud800":1}', '\\ud800'),
  create('a key of 60,000 bytes', { size: 1, ['x'.repeat(60_000)]: 1 }, 'x'.repeat(64)),
  create('5,000 keys', Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`${n}`, n])), '0'),
  create('a comment that is a deep list', `{"size":1,"comment":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'comment'),
  create('a comment that is a deep object', `{"size":1,"comment":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`, 'comment'),
  body('no body', '', /is missing/),
  body('white space', ' \n\t '),
  body('a byte that is no UTF-8', json(0xff), /UTF-8/),
  body('an overlong slash', json(0xc0, 0xaf), /UTF-8/),
  body('an overlong NUL', json(0xc0, 0x80), /UTF-8/),
  body('a surrogate in UTF-8', json(0xed, 0xa0, 0x80), /UTF-8/),
  body('a character beyond Unicode', json(0xf4, 0x90, 0x80, 0x80), /UTF-8/),
  body('half a character', json(0xe2, 0x82), /UTF-8/),
  body('ISO 8859-1', Buffer.from('{"size":1,"comment":"é"}', 'latin1'), /UTF-8/),
  body('UTF-16', Buffer.from('{"size":1}', 'utf16le')),
  body('UTF-16 with its mark', Buffer.from('\ufeff{"size":1}', 'utf16le'), /UTF-8/),
  body('UTF-16, the other end first', utf16be('{"size":1}')),
  body('UTF-32', utf32le('{"size":1}')),
  body('what was compressed, and is not said to be', gzipSync('{"size":1}')),
  body('two marks of UTF-8', '\ufeff\ufeff{"size":1}'),
  encoded('a body that was compressed', 'gzip', gzipSync('{"size":1048576}')),
  encoded('a body that is said to be compressed', 'gzip', '{"size":1048576}'),
  encoded('a body in brotli', 'br', '{"size":1048576}'),
  encoded('a body in an encoding that there is not', 'x-rot13', '{"size":1048576}'),
  encoded('a body that was compressed twice', 'identity, gzip', '{"size":1048576}'),
  typed('a body of plain text', 'text/plain'),
  typed('a form', 'application/x-www-form-urlencoded'),
  typed('a form of several parts', 'multipart/form-data; boundary=x'),
  typed('a body of bytes', 'application/octet-stream'),
  typed('a patch', 'application/merge-patch+json'),
  typed('XML by its type', 'application/xml'),
  typed('a type that begins as ours', 'application/jsonp'),
  typed('a type of JSON that is text', 'text/json'),
  typed('a type that is half', 'application'),
  { ...typed('a type with a control character', 'application/\x01json'), status: 400, field: 'request' },
  typed('several types', 'text/plain, application/json'),
  typed('UTF-16 by its type', 'application/json; charset=utf-16'),
  typed('ISO 8859-1 by its type', 'application/json; charset=iso-8859-1'),
  typed('a body without a type', null),
  typed('a body with an empty type', ''),
  create('a body that is too long', { comment: 'x'.repeat(70_000) }, 'body', { status: 413, ...outOfRange }),
  create('a body of 4 MB', `{"comment":"${'x'.repeat(4_000_000)}"}`, 'body', { status: 413, ...outOfRange }),
];
