import { randomBytes } from 'node:crypto';
import { Secret } from '@vbs/core';
import fc from 'fast-check';
import { onSsh, ownSshd, sshFixture } from './fixture.js';

/** Whatever a shell, ssh or printf could take for its own. */
const piece = fc.oneof(
  fc.constantFrom(
    "'",
    '"',
    '\\',
    '\n',
    '\r',
    ' ',
    '\t',
    '$',
    '`',
    '!',
    '*',
    '?',
    '~',
    '#',
    '%',
    '%s',
    '\\0',
    '--',
    '-',
    ';',
    '&',
    '|',
    '<',
    '>',
    '(',
  ),
  fc.constantFrom(
    '$(touch x)',
    '$' + '{IFS}',
    "'\\''",
    '\u0001',
    '\u007f',
    'ä',
    '💾',
    '\u2028',
    '{',
    '}',
    '\n}\n',
    'v_end',
    '--help',
    'EOF',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 8 }).map((text) => text.replaceAll('\0', '')),
);
const word = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

const echoing = ['/bin/sh', '-c', 'printf \'%s\\000\' "$@"', 'sh'] as const;

onSsh('ssh run › gives every argument as it is, whatever it holds', async (t) => {
  const { machine, call } = await sshFixture(t);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }), async (lists) => {
      for (const words of lists) {
        const { stdout } = await machine.run(call(), [...echoing, ...words]);
        t.deepEqual(stdout.split('\0').slice(0, -1), words);
      }
    }),
    { numRuns: 40, verbose: 1 },
  );
});

onSsh('ssh run › gives its input as it is, NUL and line breaks at the end too', async (t) => {
  const { machine, call } = await sshFixture(t);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(piece, fc.constant('\0')), { maxLength: 12 }), async (pieces) => {
      const input = pieces.join('');
      t.is((await machine.run(call(), ['cat'], { input })).stdout, input);
      t.is((await machine.run(call(), ['cat'], { input: new Secret(input), guard: 'a' })).stdout, input);
    }),
    { numRuns: 15, verbose: 1 },
  );
});

onSsh('ssh run › takes an argument of 100 KiB, quotes alone, many at once, and says when they are too long', async (t) => {
  const { machine, call } = await sshFixture(t);
  const long = "'".repeat(100 * 1024);
  t.is((await machine.run(call(), ['printf', '%s', long])).stdout, long);
  t.is((await machine.run(call(), ['printf', '%s', ...Array(10).fill(long)], { guard: 'a' })).stdout, long.repeat(10));
  await t.throwsAsync(machine.run(call(), ['printf', '%s', 'x'.repeat(140_000)]), { code: 'OUT_OF_RANGE' });
});

onSsh('ssh run › gives back every byte order of output, and keeps output and errors apart', async (t) => {
  const { machine, call } = await sshFixture(t);
  const text = randomBytes(300_000).toString('base64');
  const both = await machine.run(call(), ['/bin/sh', '-c', 'cat >&2; printf "no line break"', 'x'], { input: text });
  t.is(both.stderr, text);
  t.is(both.stdout, 'no line break');
});

onSsh('ssh run › what the login shell says by itself is no output', async (t) => {
  const sshd = await ownSshd(t, ['ForceCommand echo welcome; echo beware >&2; eval "$SSH_ORIGINAL_COMMAND"']);
  const { machine, call } = await sshFixture(t, {}, sshd);
  t.deepEqual(await machine.run(call(), ['echo', 'hi']), { exitCode: 0, stdout: 'hi\n', stderr: '' });
});

onSsh("ssh run › a secret is in no command line but the tool's own", async (t) => {
  const { machine, call, path } = await sshFixture(t);
  const secret = new Secret('in-no-command-line');
  await machine.writeFile(call(), path('secret'), secret, { guard: 'a' });
  // The pattern is put together on the way, so that the look does not find itself; no other test has this secret.
  const look = "printf '%s%s\\n' in-no-command-lin e | grep -lsaF -f - /proc/[0-9]*/cmdline | wc -l";
  const { stdout } = await machine.run(call(), ['/bin/sh', '-c', `cat >/dev/null; ${look}`], { input: secret });
  t.is(stdout, '0\n');
});
