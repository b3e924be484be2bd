import { parseSize } from '@vbs/core';
import { roundUp } from '@vbs/core/internal/model/size.js';
import test from 'ava';

const KiB = 1024;

const right = test.macro({
  title: (_, value: unknown, bytes: number) => `parseSize › ${JSON.stringify(value)} is ${bytes} bytes`,
  exec: (t, value: unknown, bytes: number) => t.is(parseSize(value), bytes),
});
for (const [value, bytes] of [
  [1, 1],
  [2 ** 53 - 1, 2 ** 53 - 1],
  ['1', 1],
  ['512B', 512],
  ['64KiB', 64 * KiB],
  ['64 MiB', 64 * KiB ** 2],
  ['5gib', 5 * KiB ** 3],
  ['+5GiB', 5 * KiB ** 3],
  [' 5GiB ', 5 * KiB ** 3],
  ['1TiB', KiB ** 4],
  ['7PiB', 7 * KiB ** 5],
  ['1.5KiB', 1536],
  ['1.5TB', 1.5e12],
  ['1.005KB', 1005],
  ['4.35MB', 4_350_000],
  ['0.29GB', 290_000_000],
  ['1.1KB', 1100],
  ['8.000001MB', 8_000_001],
  ['9007199254740991', 2 ** 53 - 1],
  ['007KiB', 7 * KiB],
] as const)
  test(right, value, bytes);

const wrong = test.macro({
  title: (_, name: string, __: unknown, code: string) => `parseSize › ${name} is ${code} and names the field`,
  exec(t, _: string, value: unknown, code: string) {
    const error = t.throws(() => parseSize(value, 'size'), { code });
    t.like(error, { context: { field: 'size' } });
    t.true((error?.message.length ?? 0) < 400);
  },
});
const noText = { toString: 1, valueOf: 1 };
for (const [name, value, code] of [
  ['0', 0, 'OUT_OF_RANGE'],
  ['-0', -0, 'OUT_OF_RANGE'],
  ['-1', -1, 'OUT_OF_RANGE'],
  ['"-5GiB"', '-5GiB', 'OUT_OF_RANGE'],
  ['"0"', '0', 'OUT_OF_RANGE'],
  ['"0.0GiB"', '0.0GiB', 'OUT_OF_RANGE'],
  ['1.5', 1.5, 'INVALID_ARGUMENT'],
  ['0.5', 0.5, 'INVALID_ARGUMENT'],
  ['"1.5"', '1.5', 'INVALID_ARGUMENT'],
  ['"0.3KiB"', '0.3KiB', 'INVALID_ARGUMENT'],
  ['"1.5 bytes"', '1.5 bytes', 'INVALID_ARGUMENT'],
  ['1e30', 1e30, 'OUT_OF_RANGE'],
  ['"1e30"', '1e30', 'INVALID_ARGUMENT'],
  ['"5 parsecs"', '5 parsecs', 'INVALID_ARGUMENT'],
  ['"GiB"', 'GiB', 'INVALID_ARGUMENT'],
  ['"5GiBs"', '5GiBs', 'INVALID_ARGUMENT'],
  ['"5,5GiB"', '5,5GiB', 'INVALID_ARGUMENT'],
  ['"5Gi"', '5Gi', 'INVALID_ARGUMENT'],
  ['"0x10"', '0x10', 'INVALID_ARGUMENT'],
  ['"5GiB" and junk behind 60 spaces', `5GiB${' '.repeat(60)}junk`, 'INVALID_ARGUMENT'],
  ['digits from another script', '٥GiB', 'INVALID_ARGUMENT'],
  ['NaN', Number.NaN, 'INVALID_ARGUMENT'],
  ['Infinity', Number.POSITIVE_INFINITY, 'OUT_OF_RANGE'],
  ['-Infinity', Number.NEGATIVE_INFINITY, 'OUT_OF_RANGE'],
  ['the empty text', '', 'INVALID_ARGUMENT'],
  ['spaces', '   ', 'INVALID_ARGUMENT'],
  ['null', null, 'INVALID_ARGUMENT'],
  ['undefined', undefined, 'INVALID_ARGUMENT'],
  ['{}', {}, 'INVALID_ARGUMENT'],
  ['[5]', [5], 'INVALID_ARGUMENT'],
  ['an object that is no text', noText, 'INVALID_ARGUMENT'],
  ['an object without a prototype', Object.create(null), 'INVALID_ARGUMENT'],
  ['true', true, 'INVALID_ARGUMENT'],
  ['5n', 5n, 'INVALID_ARGUMENT'],
  ['a symbol', Symbol('5'), 'INVALID_ARGUMENT'],
  ['2^53', 2 ** 53, 'OUT_OF_RANGE'],
  ['"9007199254740992"', '9007199254740992', 'OUT_OF_RANGE'],
  ['"9PiB"', '9PiB', 'OUT_OF_RANGE'],
  ['"99999999999999999999PiB"', '99999999999999999999PiB', 'OUT_OF_RANGE'],
  ['10 MB of digits', '1'.repeat(10_000_000), 'INVALID_ARGUMENT'],
] as const)
  test(wrong, name, value, code);

test('roundUp › goes to the next multiple, and refuses what is no safe integer any more', (t) => {
  t.is(roundUp(1, 4096), 4096);
  t.is(roundUp(4096, 4096), 4096);
  t.is(roundUp(4097, 4096), 8192);
  t.throws(() => roundUp(Number.MAX_SAFE_INTEGER, 4096), { code: 'OUT_OF_RANGE' });
});
