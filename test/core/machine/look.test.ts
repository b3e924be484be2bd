import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { Look, VbsError } from '@vbs/core';
import { lookLimits } from '@vbs/core/internal/machine/look.js';
import type { Run } from '@vbs/core/internal/machine/ssh/remote-files.js';
import { lookThere } from '@vbs/core/internal/machine/ssh/remote-look.js';
import { remoteLooks } from '@vbs/core/internal/machine/ssh/remote-looks.js';
import test from 'ava';
import { type AnyFixture, machineFixture, onEachMachine } from './fixture.js';

async function put({ path }: AnyFixture, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(path(name)), { recursive: true });
    await writeFile(path(name), text);
  }
}

/** What was found below a folder, errors by their codes. */
function shown(look: Look, { path }: AnyFixture): Readonly<Record<string, string | null>> {
  return Object.fromEntries(
    [...look.entries()].map(([found, at]) => [found.slice(path('').length + 1), at instanceof VbsError ? `! ${at.code}` : at]),
  );
}

onEachMachine('look › answers files, folders and what patterns match, in order, and nothing of what is absent', async (t, make) => {
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  await put(fixture, { 's/session2/name': 'two\n', 's/session10/name': 'ten', 's/session2/.hidden': 'x', 's/other/name': 'no', empty: '' });
  await symlink(path('s/session2'), path('s/sessionlink'));
  await symlink(path('nowhere'), path('dangling'));
  const patterns = ['s/session*/name', 's/session*/*', 's/*', 'empty', 'dangling', 'absent', 'absent/*', 's/session2/name/deeper', 's'].map(
    path,
  );
  const look = await machine.look(call(), patterns);
  t.deepEqual(shown(look, fixture), {
    dangling: null,
    empty: '',
    s: null,
    's/other': null,
    's/session10': null,
    's/session10/name': 'ten',
    's/session2': null,
    's/session2/name': 'two\n',
    's/sessionlink': null,
    's/sessionlink/name': 'two\n',
  });
  t.deepEqual(
    look.matching(path('s/session*/name')).map(({ parts }) => parts),
    [['10'], ['2'], ['link']],
  );
  t.deepEqual(
    look.matching(path('s/*/n*e')).map(({ parts }) => parts),
    [
      ['session10', 'am'],
      ['session2', 'am'],
      ['sessionlink', 'am'],
    ],
  );
  t.is(look.text(path('absent')), undefined);
  t.true(look.has(path('s')));
  t.false(look.has(path('absent')));
  t.throws(() => look.text(path('s')), { code: 'FAILED_PRECONDITION' });
  t.is([...(await machine.look(call(), [])).entries()].length, 0);
});

onEachMachine('look › answers texts as they stand: of /proc, with NULs, line breaks and what looks like a header', async (t, make) => {
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  const texts = { a: Buffer.from([0, 0x80, 0, 3, 0x61, 0x62, 0x63, 0]), b: '\n==> /c <==\n\n', c: '%s\\n $(x) `y`', 'name with $x': '1' };
  await put(fixture, texts);
  const look = await machine.look(call(), [path('*'), '/proc/self/status', '/proc/self/mountinfo']);
  for (const [name, text] of Object.entries(texts)) t.is(look.text(path(name)), text.toString('utf8'), name);
  t.regex(look.text('/proc/self/status') ?? '', /^Name:/);
  t.true(look.has('/proc/self/mountinfo'));
});

onEachMachine(
  'look › a pattern that ends in a slash asks for names, which are not read, unless another pattern asks for that',
  async (t, make) => {
    const fixture = await make(t);
    const { machine, call, path } = fixture;
    await put(fixture, { 'd/one': '1', 'd/two': '2', 'd/three/x': '3' });
    await symlink(path('nowhere'), path('d/dangling'));
    const names = await machine.look(call(), ['d/*/', 'd/one/', 'd/absent/', 'e/*/'].map(path));
    t.deepEqual(shown(names, fixture), { 'd/dangling': null, 'd/one': null, 'd/three': null, 'd/two': null });
    t.is(names.matching(path('d/*/')).length, 4);
    for (const patterns of [
      ['d/*/', 'd/t*'],
      ['d/t*', 'd/*/'],
    ]) {
      const both = await machine.look(call(), patterns.map(path));
      t.deepEqual([both.text(path('d/two')), both.has(path('d/one'))], ['2', true]);
    }
  },
);

onEachMachine('look › goes up from where a link leads to, as the kernel does', async (t, make) => {
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  await put(fixture, { 'host7/session1/x': '', 'host7/scan': 'scan' });
  await mkdir(path('class'));
  await symlink(path('host7/session1'), path('class/device'));
  const look = await machine.look(call(), [`${path('class/device')}/../sc*`]);
  t.is(look.text(`${path('class/device')}/../scan`), 'scan');
});

onEachMachine('look › does not open devices and pipes', async (t, make) => {
  const { machine, call, path } = await make(t);
  await machine.run(call(), ['mkfifo', path('pipe')]);
  const look = await machine.look(call(), ['/dev/zero', path('p*')]);
  t.throws(() => look.text('/dev/zero'), { code: 'FAILED_PRECONDITION' });
  t.throws(() => look.text(path('pipe')), { code: 'FAILED_PRECONDITION' });
});

onEachMachine('look › tells of a file that is too large when its text is asked for, and of all together at once', async (t, make) => {
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  await put(fixture, { small: '12345', large: '123456' });
  const look = await machine.look(call(), [path('*')], { maxBytes: 5 });
  t.is(look.text(path('small')), '12345');
  t.throws(() => look.text(path('large')), { code: 'OUT_OF_RANGE' });
  const half = Buffer.alloc(lookLimits.bytes / 2 + 1, 0x61);
  await put(fixture, { one: half, two: half });
  const both = machine.look(call(), [path('one'), path('two')], { maxBytes: half.length });
  await t.throwsAsync(both, { code: 'OUT_OF_RANGE', message: /bytes/ });
});

onEachMachine('look › takes more files than fit into one command line, up to its limit', async (t, make) => {
  t.timeout(120_000);
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  const names = Array.from({ length: 2_100 }, (_, index) => `many/${'x'.repeat(150)}${index}`);
  await mkdir(path('many'));
  await Promise.all(names.map((name, index) => writeFile(path(name), `${index}\n`)));
  const look = await machine.look(call(), [path('many/*')]);
  for (const [index, name] of names.entries()) if (look.text(path(name)) !== `${index}\n`) t.fail(name);
  const patterns = Array.from({ length: 9 }, (_, index) => path(`many/x*${index}`));
  t.is((await machine.look(call(), patterns)).matching(path('many/*')).length, 1_890);
  const tooMany = Array.from({ length: lookLimits.patterns + 1 }, (_, index) => path(String(index)));
  await t.throwsAsync(machine.look(call(), tooMany), { code: 'OUT_OF_RANGE', message: /257/ });
});

onEachMachine('look › refuses patterns that a shell would take for more than a *', async (t, make) => {
  const { machine, call, path } = await make(t);
  const hostile = [
    '',
    'relative/*',
    '/a?',
    '/a[b]',
    '/a]',
    '/a\\*',
    '/a\nb',
    '/a\0b',
    '/a\x7f',
    '/a/..',
    '/./a',
    '/a//b',
    '/a/./',
    '/a**',
    '/\ud800',
  ];
  for (const pattern of hostile) {
    const error = await t.throwsAsync(machine.look(call(), [path('fine'), pattern]), { code: 'INVALID_ARGUMENT' }, JSON.stringify(pattern));
    t.is((error as VbsError).context.field, 'patterns');
  }
});

onEachMachine('look › takes every other character for itself', async (t, make) => {
  const fixture = await make(t);
  const { machine, call, path } = fixture;
  const names = ["a'b", 'a"b', 'a b', 'a$HOME', 'a`id`', 'a;id', 'a!e1.1', 'a{b,c}', '~a', '-n', 'a(b)|c^d+.', 'ä', '#a', 'a&b', 'a<b>'];
  await put(fixture, Object.fromEntries(names.map((name) => [`f/${name}/text`, name])));
  for (const name of names) {
    const look = await machine.look(call(), [path(`f/${name}/te*`), path(`f/${name}/text`)]);
    t.is(look.text(path(`f/${name}/text`)), name);
    t.is(look.matching(path(`f/${name}/*`)).length, 1, name);
  }
});

/** Looks as a user without rights, which the user of these tests may not be: here in a process of its own, or by the shell of another machine. */
const nobodyId = 65_534;
const nobody = process.getuid?.() === 0 ? { uid: nobodyId, gid: nobodyId } : {};

async function lookHereAsNobody(patterns: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
  const text = `
    import { lookHere } from '@vbs/core/internal/machine/local-look.js';
    if (process.getuid() === 0) {
      process.setgroups([]);
      process.setegid(${nobodyId});
      process.seteuid(${nobodyId});
    }
    const tell = (value) => console.log(JSON.stringify(value));
    lookHere(${JSON.stringify(patterns)}).then(
      (look) => tell(Object.fromEntries([...look.entries()].map(([path, at]) => [path, at?.code ?? at]))),
    );`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', text]);
  return JSON.parse(stdout) as Readonly<Record<string, string | null>>;
}

async function lookThereAsNobody(fixture: AnyFixture, patterns: readonly string[]): Promise<Readonly<Record<string, string | null>>> {
  const run: Run = async (_call, command) => {
    const child = spawn('/bin/sh', ['-c', `${remoteLooks}\n"$@"`, 'sh', ...command.map(String)], nobody);
    const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    return { exitCode, stdout, stderr };
  };
  const look = await lookThere(run, 'vs1', fixture.call(), patterns);
  return Object.fromEntries([...look.entries()].map(([path, at]) => [path, at instanceof VbsError ? at.code : at]));
}

test('look › what a user may not see is never taken for absent, here and over SSH', async (t) => {
  const fixture = await machineFixture(t);
  const { path } = fixture;
  await put(fixture, { 'open/file': 'x', 'shut/file': 'x', 'open/secret': 'x', 'deep/one/shut/file': 'x', 'deep/two/shut/file': 'x' });
  await chmod(path(''), 0o755);
  await chmod(path('open/secret'), 0o600);
  await chmod(path('shut'), 0o600);
  await chmod(path('deep/one/shut'), 0o700);
  t.teardown(() => Promise.all(['shut', 'deep/one/shut'].map((name) => chmod(path(name), 0o700))));
  const denied = 'PERMISSION_DENIED';
  const trials: readonly (readonly [patterns: readonly string[], told: object])[] = [
    [['open/*'], { [path('open/file')]: 'x', [path('open/secret')]: 'PERMISSION_DENIED' }],
    [['open/secret', 'open/absent'], { [path('open/secret')]: 'PERMISSION_DENIED' }],
    [['shut/file', 'shut/absent'], { [path('shut/file')]: 'PERMISSION_DENIED', [path('shut/absent')]: 'PERMISSION_DENIED' }],
    [['open/file', 'shut/*'], { [path('open/file')]: 'x', [path('shut')]: denied }],
    [['shut/sub/*'], { [path('shut/sub')]: denied }],
    [['deep/*/shut/*'], { [path('deep/one/shut')]: denied, [path('deep/two/shut/file')]: 'x' }],
    [['deep/*/shut/file'], { [path('deep/one/shut')]: denied, [path('deep/two/shut/file')]: 'x' }],
    [['*/file'], { [path('open/file')]: 'x', [path('shut')]: denied }],
    [['absent/*/file'], {}],
  ];
  for (const [patterns, told] of trials) {
    const given = patterns.map(path);
    t.deepEqual(await lookHereAsNobody(given), told, `here: ${patterns}`);
    const there = (await lookThereAsNobody(fixture, given)) as Readonly<Record<string, string | null>>;
    t.deepEqual(there, told, `there: ${patterns}`);
  }
});

test('Look › an error of a file comes with its text alone', (t) => {
  const look = new Look([
    ['/b', 'b'],
    ['/a', new VbsError('PERMISSION_DENIED', 'may not')],
  ]);
  t.deepEqual(
    [...look.entries()].map(([path]) => path),
    ['/a', '/b'],
  );
  t.true(look.has('/a'));
  t.throws(() => look.text('/a'), { code: 'PERMISSION_DENIED' });
  t.is(look.text('/b'), 'b');
});

test('Look › what lies behind a folder that may not be entered is not absent', (t) => {
  const look = new Look([
    ['/a/x/shut', new VbsError('PERMISSION_DENIED', 'may not')],
    ['/a/y/shut/file', 'y'],
  ]);
  for (const ask of [() => look.has('/a/x/shut/file'), () => look.text('/a/x/shut/file'), () => look.matching('/a/*/shut/*')])
    t.throws(ask, { code: 'PERMISSION_DENIED' });
  t.is(look.matching('/a/y/*/file').length, 1);
  t.false(look.has('/a/z/shut/file'));
  t.is(look.matching('/a/*/shut').length, 1);
});
