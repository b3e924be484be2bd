import { requireId } from '@vbs/core/internal/model/ids.js';
import { optionalComment, requireDevice, requireFields, requireName } from '@vbs/core/internal/model/text.js';
import test from 'ava';

interface Refused {
  readonly code?: unknown;
  readonly message: string;
  readonly context?: { readonly field?: unknown };
}

function refuses(
  t: { is(a: unknown, b: unknown): void; true(a: boolean): void; notRegex(a: string, b: RegExp): void },
  act: () => unknown,
  field: string,
): void {
  try {
    act();
  } catch (error) {
    const { code, message, context } = error as Refused;
    t.is(code, 'INVALID_ARGUMENT');
    t.is(context?.field, field);
    t.true(message.length < 400);
    t.notRegex(message, /[\p{Cc}\p{Cs}\u2028\u2029\p{Bidi_Control}]/u);
    return;
  }
  t.is('accepted', `refused, naming ${field}`);
}

const hidden = [
  ['a line break', 'a\nb'],
  ['a carriage return', 'a\rb'],
  ['a NUL', 'a\0b'],
  ['an escape sequence', '\u001b[2J'],
  ['DEL', 'a\u007f'],
  ['a C1 control character', 'a\u009b31m'],
  ['a lone high surrogate', 'a\ud800'],
  ['a lone low surrogate', '\udc00b'],
  ['a line separator', 'a\u2028b'],
  ['a paragraph separator', 'a\u2029b'],
  ['a right-to-left override', 'a\u202eb'],
  ['a right-to-left isolate', 'a\u2067b'],
  ['a right-to-left mark', 'a\u200fb'],
  ['a left-to-right mark', 'a\u200eb'],
  ['an Arabic letter mark', 'a\u061cb'],
] as const;

const badComment = test.macro({
  title: (_, name: string) => `optionalComment › ${name} is INVALID_ARGUMENT`,
  exec: (t, _: string, value: unknown) => refuses(t, () => optionalComment(value), 'comment'),
});
for (const [name, value] of [
  ...hidden,
  ['10 MB', 'x'.repeat(10_000_000)],
  ['1,025 bytes', 'x'.repeat(1025)],
  ['1,025 bytes in 513 letters', `x${'ä'.repeat(512)}`],
  ['a number', 5],
  ['an object', {}],
  ['a list', ['a']],
  ['an object without a prototype', Object.create(null)],
] as const)
  test(badComment, name, value);

const goodComment = test.macro({
  title: (_, name: string) => `optionalComment › ${name} is a comment`,
  exec: (t, _: string, value: string) => t.is(optionalComment(value), value),
});
for (const [name, value] of [
  ['the empty text', ''],
  ['1,024 bytes', 'x'.repeat(1024)],
  ['other scripts', 'مرحبا, שלום, 你好, नमस्ते'],
  ['a family joined by zero-width joiners', '👨‍👩‍👧'],
  ['quotes and SQL', `'; drop table volumes; -- "`],
] as const)
  test(goodComment, name, value);

test('optionalComment › null and undefined are none', (t) => {
  t.is(optionalComment(null), null);
  t.is(optionalComment(undefined), null);
});

const badDevice = test.macro({
  title: (_, name: string) => `requireDevice › ${name} is INVALID_ARGUMENT`,
  exec: (t, _: string, value: unknown) => refuses(t, () => requireDevice(value), 'device'),
});
for (const [name, value] of [
  ...hidden,
  ['a space', 'xvd b'],
  ['a space in front', ' xvdb'],
  ['a slash', 'xvd/b'],
  ['/dev/ alone', '/dev/'],
  ['two slashes', '/dev//xvdb'],
  ['a way out of /dev', '/dev/../etc/passwd'],
  ['dots', '..'],
  ['a hyphen in front', '-xvdb'],
  ['an option', '--force'],
  ['a semicolon', 'xvdb;reboot'],
  ['a letter of another script', 'хvdb'],
  ['65 letters', 'x'.repeat(65)],
  ['10 MB', 'x'.repeat(10_000_000)],
  ['the empty text', ''],
  ['null', null],
  ['undefined', undefined],
  ['a number', 51728],
  ['a list', ['xvdb']],
] as const)
  test(badDevice, name, value);

const badName = test.macro({
  title: (_, name: string) => `requireName › ${name} is INVALID_ARGUMENT`,
  exec: (t, _: string, value: unknown) => refuses(t, () => requireName(value, 'vmId'), 'vmId'),
});
for (const [name, value] of [
  ...hidden,
  ['a space', 'vm 1'],
  ['a slash', 'vm/1'],
  ['a way up', '../vm1'],
  ['a hyphen in front', '-vm1'],
  ['a dot in front', '.vm1'],
  ['256 letters', 'x'.repeat(256)],
  ['the empty text', ''],
  ['undefined', undefined],
  ['a number', 1],
] as const)
  test(badName, name, value);

const badId = test.macro({
  title: (_, name: string) => `requireId › ${name} is INVALID_ARGUMENT`,
  exec: (t, _: string, value: unknown) => refuses(t, () => requireId('volume', value, 'volumeId'), 'volumeId'),
});
for (const [name, value] of [
  ...hidden,
  ['the id of a snapshot', 'snap-0123456789abcdef0'],
  ['a digit too few', 'vol-0123456789abcdef'],
  ['a digit too many', 'vol-0123456789abcdef01'],
  ['upper case', 'vol-0123456789ABCDEF0'],
  ['a letter that is no digit', 'vol-0123456789abcdefg'],
  ['a line break behind', 'vol-0123456789abcdef0\n'],
  ['a way up', 'vol-../../etc/passwd'],
  ['10 MB', 'x'.repeat(10_000_000)],
  ['the empty text', ''],
  ['null', null],
  ['undefined', undefined],
  ['a number', 5],
  ['{}', {}],
  ['a list of one id', ['vol-0123456789abcdef0']],
  ['an object without a prototype', Object.create(null)],
  ['a symbol', Symbol('vol')],
] as const)
  test(badId, name, value);

test('requireFields › names a misspelt field, and those that there are', (t) => {
  const error = t.throws(() => requireFields({ volumeID: 'x' }, ['volumeId', 'size']));
  t.like(error, { code: 'INVALID_ARGUMENT', context: { field: 'volumeID' } });
  t.regex(error?.message ?? '', /volumeID is not a field of this call's request; there are volumeId, size/);
});

test('requireFields › refuses what is no plain request', (t) => {
  for (const request of [null, undefined, 5, 'text', [], ['volumeId'], () => undefined])
    t.throws(() => requireFields(request, ['volumeId']), { code: 'INVALID_ARGUMENT' });
});

test('requireFields › a field whose name has control characters does not get into the message as it is', (t) => {
  refuses(t, () => requireFields({ 'a\u001b[2Jb': 1 }, ['volumeId']), 'a\\u001b[2Jb');
});
