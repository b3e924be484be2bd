import { isVbsError, Secret, type VbsError } from '@vbs/core';
import { createCommandRunner } from '@vbs/core/internal/command/command-runner.js';
import { fillPattern, type PlaceholderValue } from '@vbs/core/internal/command/fill.js';
import { parsePattern } from '@vbs/core/internal/command/pattern.js';
import test from 'ava';
import fc from 'fast-check';
import { machineFixture } from '../machine/fixture.js';

const fill = (pattern: string, values: Readonly<Record<string, PlaceholderValue>>): readonly unknown[] =>
  fillPattern('name', parsePattern('name', pattern), values);

test('fill › each word becomes one argument', (t) => {
  const values = { vmId: 'my vm; rm -rf "$HOME"', dev: '/dev/vg0/a', n: 7 };
  t.deepEqual(fill('xl attach <vmId> phy:<dev> -n<n>', values), ['xl', 'attach', 'my vm; rm -rf "$HOME"', 'phy:/dev/vg0/a', '-n7']);
});

test('fill › a word with a Secret in it is a Secret, and no other', (t) => {
  const [, word, other] = fill('tool password=<p> <q>', { p: new Secret('x y'), q: 'open' });
  t.true(word instanceof Secret);
  t.is((word as Secret).reveal(), 'password=x y');
  t.is(other, 'open');
});

const refused = test.macro<[pattern: string, value: PlaceholderValue, message: RegExp]>({
  title: (_, pattern, value) =>
    `fill › ${pattern} refuses ${typeof value === 'object' ? 'a Secret' : JSON.stringify(value)?.slice(0, 30)}${Number.isNaN(value) ? ' NaN' : ''}`,
  exec: (t, pattern, value, message) => {
    const error = t.throws<VbsError>(() => fill(pattern, { a: value, b: 'x' }), { code: 'INVALID_ARGUMENT', message });
    t.is(error?.context.field, 'a');
    t.notRegex(JSON.stringify(error), /hidden/);
  },
});
test(refused, 'tool <a>', '', /empty/);
test(refused, 'tool x<a>', '', /empty/);
test(refused, 'tool <a>', '-rf', /begins with '-'/);
test(refused, 'tool <a><b>', '--all', /begins with '-'/);
test(refused, 'tool <a>', -1, /begins with '-'/);
test(refused, 'tool <a>', new Secret('-hidden'), /begins with '-'/);
test(refused, 'tool size=<a>', 'x,ro=off', /comma/);
test(refused, 'tool ro,<a>', 'a,b', /comma/);
test(refused, 'tool <a>,ro', new Secret('hidden,b'), /comma/);
test(refused, 'tool <a>', 'a\nb', /control character/);
test(refused, 'tool <a>', 'a\0', /control character/);
test(refused, 'tool <a>', '\u007f', /control character/);
test(refused, 'tool <a>', '\u2028', /control character or a line break/);
test(refused, 'tool <a>', '\ud800', /control character/);
test(refused, 'tool <a>', 1.5, /whole number/);
test(refused, 'tool <a>', Number.NaN, /whole number/);
test(refused, 'tool <a>', Number.POSITIVE_INFINITY, /whole number/);
test(refused, 'tool <a>', 2 ** 53, /whole number/);
test(refused, 'tool <a>', 'x'.repeat(65_537), /longer/);
test(refused, 'tool -<a>', '-delete', /no plain name/);
test(refused, 'tool -<a>', 'scsi1=/dev/other', /no plain name/);
test(refused, 'tool -<a>', ' scsi1', /no plain name/);
test(refused, 'tool --<a>', -1, /no plain name/);
test(refused, 'tool -<a><b>', '=', /no plain name/);
test(refused, 'tool -<a>', new Secret('-hidden'), /no plain name/);

test('fill › a value behind a lone dash names one option, and no more', (t) => {
  const command = fill('qm set <a> -<b> <c>', { a: 100, b: 'scsi1', c: '/dev/vg0/a' });
  t.deepEqual(command, ['qm', 'set', '100', '-scsi1', '/dev/vg0/a']);
});

test('fill › takes commas where they mean nothing, and a negative number behind a literal', (t) => {
  t.deepEqual(fill('tool <a> x:<a> n=<b>', { a: 'a,b', b: -1 }), ['tool', 'a,b', 'x:a,b', 'n=-1']);
});

test('fill › a missing value is the programmer’s mistake, also one that every object has', (t) => {
  t.throws(() => fill('tool <a>', {}), { instanceOf: TypeError });
  t.throws(() => fill('tool <constructor>', {}), { instanceOf: TypeError });
  t.throws(() => fill('tool <a>', { a: undefined as never }), { instanceOf: TypeError });
});

const literal = fc.stringMatching(/^[a-z0-9:/=,.@%+-]{1,8}$/);
const placeholder = fc.constantFrom('<a>', '<b>', '<c>');
const patternText = fc
  .array(fc.array(fc.oneof(literal, placeholder), { minLength: 1, maxLength: 4 }), { maxLength: 6 })
  .map((words) => ['tool', ...words.map((parts) => parts.join(''))].join(' '));
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme-composite', minLength: 1, maxLength: 20 }),
  fc.constantFrom(
    '-',
    '--',
    '-rf',
    '--help',
    ' ',
    '  -x',
    '$(id)',
    '`id`',
    ';id',
    '|',
    '&',
    '>x',
    '<b>',
    '<a>',
    '"',
    "'",
    '\\',
    '*',
    '~',
    'a b',
    '@f',
    '%s',
    '',
    '\t',
    '\n',
    '\0',
    ',',
    '=',
  ),
  fc.integer(),
  fc.double(),
);
const plainText = (value: PlaceholderValue): string => (value instanceof Secret ? value.reveal() : String(value));

test('fill › for random patterns and hostile values, words and literals stay and no word becomes an option (property)', (t) => {
  let filled = 0;
  fc.assert(
    fc.property(patternText, fc.record({ a: hostile, b: hostile, c: hostile }), fc.boolean(), (text, raw, secret) => {
      const values = Object.fromEntries(
        Object.entries(raw).map(([name, value]) => [name, secret && typeof value === 'string' ? new Secret(value) : value]),
      );
      const pattern = parsePattern('name', text);
      let words: readonly PlaceholderValue[];
      try {
        words = fillPattern('name', pattern, values);
      } catch (error) {
        // Refused is always safe; what must not be is a wrong argument list.
        return isVbsError(error) && error.code === 'INVALID_ARGUMENT';
      }
      filled++;
      const source = text.split(' ');
      return (
        words.length === source.length &&
        words.every((word, index) => {
          const from = source[index] as string;
          const expected = from.replace(/<([abc])>/g, (_, name: string) => plainText(values[name] as PlaceholderValue));
          const wasOption = from.startsWith('-');
          return plainText(word) === expected && (wasOption || !expected.startsWith('-')) && expected !== '';
        })
      );
    }),
    { numRuns: 2_000, verbose: 1 },
  );
  t.true(filled > 200, `only ${filled} patterns could be filled`);
});

test('fill › what a real process is given is exactly what was put in (property)', async (t) => {
  const { machine, call, path } = await machineFixture(t);
  const commands = {
    show: `${process.execPath} -e ${'process.stdout.write(JSON.stringify(process.argv.slice(1)))'} -- <a> x:<b> <c>y size=<a>`,
  } as const;
  const runner = createCommandRunner(commands, machine);
  let ran = 0;
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, async (a, b, c) => {
      let result: { readonly stdout: string };
      try {
        result = await runner.run(call(), 'show', { a, b: typeof b === 'string' ? new Secret(b) : b, c });
      } catch (error) {
        return isVbsError(error) && error.code === 'INVALID_ARGUMENT';
      }
      ran++;
      t.deepEqual(JSON.parse(result.stdout), [String(a), `x:${b}`, `${c}y`, `size=${a}`]);
      return true;
    }),
    { numRuns: 80, verbose: 1 },
  );
  t.true(ran >= 5, `only ${ran} ran`);
  t.deepEqual(await machine.listDirectory(call(), path('.')), []);
});

test('createCommandRunner › a wrong pattern is PLUGIN_INVALID', async (t) => {
  const { machine } = await machineFixture(t);
  t.throws(() => createCommandRunner({ a: 'tool <' }, machine), { code: 'PLUGIN_INVALID', message: /"a", "tool <"/ });
});

test('createCommandRunner › fills for Machine.start, and takes values that an override left out', async (t) => {
  const { machine } = await machineFixture(t);
  const commands: { readonly a: 'tool <x> <mode>' } = { a: 'tool <x>' as never };
  t.deepEqual(createCommandRunner(commands, machine).fill('a', { x: 1, mode: 'w' }), ['tool', '1']);
});
