import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

interface TapCounter {
  readonly passed: number;
  readonly skipped: number;
  readonly todo: number;
  readonly failures: readonly string[];
  readonly passes: readonly string[];
  readonly diagnostics: ReadonlyMap<string, readonly string[]>;
  read(line: string): string | undefined;
  fault(exit: number | string): string | undefined;
}

const script = new URL('../../../scripts/test/tap-count.mjs', import.meta.url);
const { TapCount } = (await import(script.href)) as { TapCount: new () => TapCounter };

const fileScript = new URL('../../../scripts/test/file-of.mjs', import.meta.url);
const { fileOf } = (await import(fileScript.href)) as {
  fileOf: (title: string, exists: (file: string) => boolean) => { readonly file: string; readonly bare: string } | undefined;
};

function read(...lines: readonly string[]): TapCounter {
  const count = new TapCount();
  for (const line of lines) count.read(line);
  return count;
}

test('tap count › counts each kind of line', (t) => {
  const count = read(
    'TAP version 13',
    'ok 1 - a › b',
    'not ok 2 - c',
    '  ---',
    '    ok: 1',
    '  ...',
    'ok 3 - d (no qemu) # SKIP',
    'not ok 4 - e # TODO',
    '1..4',
  );
  t.is(count.passed, 1);
  t.is(count.skipped, 1);
  t.is(count.todo, 1);
  t.deepEqual(count.failures, ['c']);
  t.is(count.fault(1), undefined);
});

test('tap count › shows what a person wants to read and nothing of the protocol', (t) => {
  const count = new TapCount();
  t.is(count.read('ok 1 - a › b'), 'ok      a › b');
  t.is(count.read('not ok 2 - c'), 'FAILED  c');
  t.is(count.read('    message: wrong'), '    message: wrong');
  t.is(count.read('# pass 1'), undefined);
  t.is(count.read('1..2'), undefined);
});

test('tap count › a run that broke off is a failure', (t) => {
  t.regex(read('TAP version 13', 'ok 1 - a').fault(1) ?? '', /broke off/);
});

test('tap count › a run without tests is a failure', (t) => {
  t.is(read('TAP version 13', '1..0').fault(1), 'no test was run');
});

test('tap count › tests that were planned and never reported are a failure', (t) => {
  t.is(read('ok 1 - a', '1..3').fault(1), '3 tests were planned and 1 reported');
});

test('tap count › a non-zero exit without a failed test is a failure', (t) => {
  t.regex(read('ok 1 - a', '1..1').fault(1) ?? '', /though no test failed/);
  t.regex(read('ok 1 - a', '1..1').fault('SIGKILL') ?? '', /SIGKILL/);
  t.is(read('ok 1 - a', '1..1').fault(0), undefined);
});

test('tap count › keeps what was told of a failure, and nothing of the others', (t) => {
  const count = read('ok 1 - a', '# note', 'not ok 2 - b', '  ---', '    message: wrong', '  ...', 'ok 3 - c', 'behind it', '1..3');
  t.deepEqual([...count.diagnostics], [['b', ['  ---', '    message: wrong', '  ...']]]);
  t.deepEqual(count.passes, ['a', 'c']);
});

test('file of › a title leads to the longest file name that is there', (t) => {
  const files = ['test/dist/core/size.test.js', 'test/dist/core/size/text.test.js'];
  const exists = (file: string): boolean => files.includes(file);
  t.deepEqual(fileOf('core › size › reads › text', exists), { file: 'test/dist/core/size.test.js', bare: 'reads › text' });
  t.deepEqual(fileOf('core › size › text › reads', exists), { file: 'test/dist/core/size/text.test.js', bare: 'reads' });
  t.is(fileOf('a title of its own', exists), undefined);
});

test('tap reporter › tells an error without a frame, as those of node:fs.rm, and a test that hangs, and ends', async (t) => {
  const root = new URL('../../../', import.meta.url);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-tap-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await symlink(fileURLToPath(new URL('node_modules', root)), join(directory, 'node_modules'));
  await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
  const text = `
    import test from 'ava';
    test('frameless', () => { throw Object.assign(new Error('not empty'), { stack: 'Error: not empty' }); });
    test('hangs', () => new Promise((resolve) => setTimeout(resolve, 60_000)));`;
  await writeFile(join(directory, 'some.test.js'), text);
  const preload = new URL('scripts/test/whole-tap.mjs', root).href;
  const ava = fileURLToPath(new URL('node_modules/ava/entrypoints/cli.mjs', root));
  const run = promisify(execFile)(process.execPath, ['--import', preload, ava, '--tap', '--timeout', '3s'], { cwd: directory });
  const { stdout } = (await t.throwsAsync(run)) as unknown as { readonly stdout: string };
  const count = read(...stdout.split('\n'));
  t.deepEqual(count.failures, ['frameless', 'hangs']);
  t.is(count.fault(1), undefined);
});
