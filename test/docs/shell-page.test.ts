import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Ids, matchOutput, pageAddress, realCommand, shellExamples } from './shell-page.js';
import { openShell } from './shell-session.js';

const none: Ids = new Map();
const [shownId, otherId] = ['vol-0123456789abcdef0', 'vol-11111111111111111'];
const [realId, elseId] = ['vol-fedcba98765432100', 'vol-22222222222222222'];

function page(...lines: readonly string[]): string {
  return ['# A page', '```sh', '$ is not run', '```', '```sh run', ...lines, '```', ''].join('\n');
}

test('shellExamples › takes the commands of run blocks with their outputs, and where they stand', (t) => {
  t.deepEqual(shellExamples(page('$ one', 'a', 'b', '$ two', '', '$ three', 'c')), [
    { line: 6, command: 'one', output: 'a\nb', exit: 0 },
    { line: 9, command: 'two', output: undefined, exit: 0 },
    { line: 11, command: 'three', output: 'c', exit: 0 },
  ]);
});

test('shellExamples › a command goes on after a backslash and with a second prompt, and tells its exit', (t) => {
  const [first, second] = shellExamples(page('$ curl -X POST \\', '  -d 1 \\', '  url', 'out', "$ echo '", "> x'  # exit 3"));
  t.is(first?.command, 'curl -X POST \\\n  -d 1 \\\n  url');
  t.is(first?.output, 'out');
  t.is(second?.command, "echo '\nx'  # exit 3");
  t.is(second?.exit, 3);
});

test('shellExamples › a block that does not begin with a command is refused, by its line', (t) => {
  t.throws(() => shellExamples(page('output first')), { message: /line 6/ });
});

test('realCommand › puts the ids that were met and the real address in', (t) => {
  const examples = shellExamples(page('$ vbs x', '$ curl http://127.0.0.1:7480/a'));
  const addresses = { shown: pageAddress(examples), real: '127.0.0.1:4711' };
  t.is(addresses.shown, '127.0.0.1:7480');
  t.is(
    realCommand(`curl http://127.0.0.1:7480/v1/volumes/${shownId} ${otherId}`, new Map([[shownId, realId]]), addresses),
    `curl http://127.0.0.1:4711/v1/volumes/${realId} ${otherId}`,
  );
});

const meets = test.macro({
  title: (what) => `matchOutput › ${what}`,
  exec(t: ExecutionContext, shown: string, real: string, met: boolean) {
    t.is(matchOutput(shown, real, none) !== undefined, met);
  },
});

test('the same text', meets, 'a (b) [c] 1.5\nd', 'a (b) [c] 1.5\nd\n', true);
test('another text is refused', meets, 'a.b', 'axb', false);
test('more lines than shown are refused', meets, 'a', 'a\nb', false);
test('… is any text of a line', meets, 'took … ms', 'took 17 ms', true);
test('… in a line is no further line', meets, 'took … ms', 'took\n17 ms', false);
test('a line … is any lines', meets, 'a\n…\nz', 'a\nb\nc\nz', true);
test('a line … is also no line', meets, 'a\n…\nz', 'a\nz', true);
test('a last line … is whatever follows', meets, 'a\n…', 'a\nb\nc', true);
test('after a line … the rest counts', meets, 'a\n…\nz', 'a\nb\nc', false);
test('any time, and any port', meets, '2026-01-02T03:04:05.678Z 127.0.0.1:1', '2027-11-12T13:14:15Z 127.0.0.1:10809', true);
test('any time of a table', meets, 'at 2026-01-02 03:04:05Z', 'at 2027-11-12 13:14:15Z', true);
test('columns may be wider', meets, 'ID   STATE', 'ID         STATE', true);
test('JSON in another layout', meets, '{\n  "a": [1, 2],\n  "b c": "d  e"\n}', '{"a":[1,2],"b c":"d  e"}', true);
test('JSON of another value is refused', meets, '{ "a": 1 }', '{"a":2}', false);
test(
  'JSON after the head of an answer',
  meets,
  'HTTP/1.1 201 Created\n…\n\n{ "a": 1 }',
  'HTTP/1.1 201 Created\r\ndate: x\r\n\r\n{"a":1}',
  true,
);
test('JSON of which the rest does not matter', meets, '{\n  "a": 1,\n  …\n}', '{"a":1,"b":{"c":2}}', true);
test('an id is an id', meets, shownId, realId, true);
test('another kind of id is refused', meets, shownId, 'op-fedcba98765432100', false);
test('one id stays one', meets, `${shownId} ${shownId}`, `${realId} ${realId}`, true);
test('one id that becomes two is refused', meets, `${shownId} ${shownId}`, `${realId} ${elseId}`, false);

test('matchOutput › an id that was met is that one from then on', (t) => {
  const ids = matchOutput(shownId, realId, none);
  t.deepEqual(ids, new Map([[shownId, realId]]));
  t.not(matchOutput(`${shownId} ${otherId}`, `${realId} ${elseId}`, ids ?? none), undefined);
  t.is(matchOutput(shownId, elseId, ids ?? none), undefined);
});

async function shell(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-shell-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return openShell(t, directory, { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8' });
}

test('shell session › commands follow each other in one shell, with both outputs and the exit of each', async (t) => {
  const session = await shell(t);
  t.deepEqual(await session.run("A='it is'"), { output: '', exit: 0 });
  t.deepEqual(await session.run('echo "$A kept"; echo aside >&2; (exit 3)  # exit 3'), { output: 'it is kept\naside\n', exit: 3 });
  t.deepEqual(await session.run('cat'), { output: '', exit: 0 });
});

test('shell session › what is no shell fails, and the session goes on', async (t) => {
  const session = await shell(t);
  t.not((await session.run("echo 'open")).exit, 0);
  t.deepEqual(await session.run('printf x'), { output: 'x', exit: 0 });
});

test('shell session › a command that ends the shell is a failure', async (t) => {
  const session = await shell(t);
  await t.throwsAsync(session.run('exit 5'), { message: /the shell ended \(exit 5\)/ });
});
