import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Machine, VbsError } from '@vbs/core';
import { listProcesses } from '@vbs/core/internal/machine/proc.js';
import test, { type ExecutionContext } from 'ava';
import { endGroupAfter, eventually, onSsh, ownSshd, pidIn, runs, type SshFixture, spawnHolder, sshFixture } from './fixture.js';

/** The process that reads the requests of the session that a command runs in: its tool's parent's parent. */
async function readerOf({ machine, call }: SshFixture, options: { readonly guard?: string } = {}): Promise<number> {
  const { stdout } = await machine.run(call(), ['/bin/sh', '-c', 'read -r a b c p d </proc/$PPID/stat; echo "$p"'], options);
  return Number(stdout);
}

const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

/** The processes of sessions, by the mark in their command line. */
function shellsOf(reader: number): readonly number[] {
  const line = readFileSync(`/proc/${reader}/cmdline`, 'utf8');
  const same = (pid: number): boolean => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === line;
    } catch {
      return false;
    }
  };
  return listProcesses()
    .map(({ pid }) => pid)
    .filter(same);
}

onSsh('ssh session › commands, guarded ones and looks go over one kept session', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call } = fixture;
  const reader = await readerOf(fixture);
  await machine.readFile(call(), '/proc/self/stat');
  await t.throwsAsync(machine.readFile(call(), '/no/such/file'), { code: 'NOT_FOUND' });
  await machine.listDirectory(call(), '/');
  await t.throwsAsync(machine.run(call(), ['vbs-no-such-tool']), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(machine.run(call(), ['sleep', '60'], { timeLimitMs: 100 }), { code: 'DEADLINE_EXCEEDED' });
  await machine.run(call(), ['cat'], { input: 'x'.repeat(100_000), guard: 'vol-1' });
  t.is(await readerOf(fixture, { guard: 'vol-1' }), reader);
});

const deaths: Readonly<Record<string, readonly [pidOf: (reader: number) => number, next: object]>> = {
  'whose reader': [(reader) => reader, { guard: 'vol-1' }],
  'whose first shell': [parentOf, {}],
};
for (const [whose, [pidOf, next]] of Object.entries(deaths))
  onSsh(`ssh session › one ${whose} was killed between two commands is opened anew`, async (t) => {
    const fixture = await sshFixture(t);
    const reader = await readerOf(fixture);
    const shells = shellsOf(reader);
    t.true(shells.length >= 3);
    process.kill(pidOf(reader), 'SIGKILL');
    await eventually(() => (shells.some(runs) ? undefined : true));
    t.not(await readerOf(fixture, next), reader);
  });

onSsh('ssh session › a look that a session which is just dying does not hear is asked again', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call } = fixture;
  process.kill(await readerOf(fixture), 'SIGKILL');
  t.regex(await machine.readFile(call(), '/proc/self/stat'), /^\d/);
});

onSsh('ssh session › a guarded command whose own shell was killed has an unknown outcome', async (t) => {
  const { machine, call, path } = await sshFixture(t);
  const running = machine.run(call(), ['/bin/sh', '-c', 'echo $$ > "$1"; exec sleep 60', 'x', path('pid')], { guard: 'vol-1' });
  const pid = await pidIn(path('pid'));
  endGroupAfter(t, pid);
  process.kill(parentOf(pid), 'SIGKILL');
  const error = await t.throwsAsync<VbsError>(running, { code: 'DEADLINE_EXCEEDED' });
  t.is(error?.context.reason, 'connection-lost');
  const soon = machine.run(call({ epoch: 2 }), ['true'], { guard: 'vol-1', timeLimitMs: 300 });
  await t.throwsAsync(soon, { code: 'ABORTED' }, 'its tool is known by its record');
});

onSsh('ssh session › a tool that reads, closes or leaves its standard input takes nothing from the session', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call } = fixture;
  const reader = await readerOf(fixture);
  const sh = (text: string, input?: string): Promise<unknown> =>
    machine.run(call(), ['/bin/sh', '-c', text], input === undefined ? {} : { input });
  await sh('exec 0<&- 1>&- 2>&-');
  await sh('cat >/dev/null; exec 0<&-');
  await sh('true', 'x'.repeat(1_000_000));
  await sh('head -c 3 >/dev/null', 'c\nr\np\nexit\n');
  t.is(await readerOf(fixture), reader);
});

onSsh('ssh session › what looks like a mark is output', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call } = fixture;
  const reader = await readerOf(fixture);
  const own = /VBS[0-9a-f]{32}/.exec(readFileSync(`/proc/${reader}/cmdline`, 'utf8'))?.[0] ?? '';
  const text = ['hello', 'begun', 'end exit 9', 'end', 'gone', 'kept']
    .flatMap((word) => [`${own} ${word}\n`, `VBS${'0'.repeat(32)} ${word}\n`])
    .join('');
  const result = await machine.run(call(), ['/bin/sh', '-c', 'cat; printf %s "$1" >&2', 'x', text], { input: text });
  t.deepEqual(result, { exitCode: 0, stdout: text, stderr: text });
  t.is(await readerOf(fixture), reader);
});

onSsh('ssh session › what a daemon writes that a command left behind is no output of the next', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call, path, script } = fixture;
  const reader = await readerOf(fixture);
  const noise = await script('noise', 'echo $$ > "$1"; while :; do echo noise; echo noise >&2; sleep 0.01; done');
  await machine.run(call(), ['/bin/sh', '-c', 'setsid "$1" "$2" & while ! [ -s "$2" ]; do sleep 0.01; done', 'x', noise, path('pid')], {
    guard: 'vol-1',
  });
  endGroupAfter(t, await pidIn(path('pid')));
  for (let count = 0; count < 20; count++)
    t.deepEqual(await machine.run(call(), ['/bin/sh', '-c', 'sleep 0.02; echo own'], { guard: 'vol-1' }), {
      exitCode: 0,
      stdout: 'own\n',
      stderr: '',
    });
  t.not(await readerOf(fixture), reader);
});

onSsh('ssh session › 8 at once have a session each, which are used again and closed when nothing is asked any more', async (t) => {
  const fixture = await sshFixture(t, { idleMs: 3_000 }, await ownSshd(t));
  const { machine, call, path } = fixture;
  const meet = 'read -r a b c p d </proc/$PPID/stat; echo "$p"; : >"$1.$2"; while ! [ -e "$1.8" ] || ! [ -e "$1.1" ]; do sleep 0.02; done';
  const all = (): Promise<readonly number[]> =>
    Promise.all(
      ['1', '2', '3', '4', '5', '6', '7', '8'].map(async (name) =>
        Number((await machine.run(call(), ['/bin/sh', '-c', meet, 'x', path('met'), name])).stdout),
      ),
    );
  const readers = new Set(await all());
  t.is(readers.size, 8);
  t.true(readers.has(await readerOf(fixture)));
  await eventually(() => ([...readers].some(runs) ? undefined : true));
});

onSsh('ssh session › a command of a process that was killed ends at once without a guard, and at its limit under one', async (t) => {
  const fixture = await sshFixture(t);
  const { path } = fixture;
  const tool = (name: string): string => JSON.stringify(['/bin/sh', '-c', 'echo $$ > "$1"; exec sleep 600', 'x', path(name)]);
  const holder = spawnHolder(
    t,
    fixture,
    `machine.run(call(1), ${tool('free')}); await machine.run(call(1), ${tool('held')}, { guard: 'vol-1', timeLimitMs: 4_000 });`,
  );
  const [free, held] = [await pidIn(path('free')), await pidIn(path('held'))];
  for (const pid of [free, held]) endGroupAfter(t, pid);
  await holder.kill();
  await eventually(() => (runs(free) ? undefined : true));
  t.true(runs(held));
  // Its limit, as long for the guard, and what a busy machine takes.
  for (let seconds = 0; runs(held) && seconds < 60; seconds += 0.1) await pause(100);
  t.false(runs(held));
});

onSsh('ssh session › a command ends at its limit also where its connection hangs without an end', async (t) => {
  const sshd = await ownSshd(t);
  const { machine, call, path } = await sshFixture(t, { liveness: { intervalSeconds: 5, times: 5 } }, sshd);
  const controller = new AbortController();
  const running = [undefined, 'vol-1'].map((guard, index) =>
    machine.run(call({ signal: controller.signal }), ['/bin/sh', '-c', 'echo $$ > "$1"; exec sleep 600', 'x', path(String(index))], {
      timeLimitMs: 1_000,
      ...(guard === undefined ? {} : { guard }),
    }),
  );
  const pids = await Promise.all(running.map((_, index) => pidIn(path(String(index)))));
  const connections = sshd.connections();
  for (const connection of connections) process.kill(connection, 'SIGSTOP');
  await eventually(() => (pids.some(runs) ? undefined : true));
  for (const connection of connections) process.kill(connection, 'SIGCONT');
  for (const command of running) await t.throwsAsync(command, { code: 'DEADLINE_EXCEEDED' });
});

/** As a machine has it whose /bin/sh is another. */
const withShell = (shell: string): string =>
  `ForceCommand eval "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed 's#^exec /bin/sh#exec ${shell}#')"`;

async function wholeMachine(t: ExecutionContext, shell: string): Promise<void> {
  const fixture = await sshFixture(t, {}, await ownSshd(t, [withShell(shell)]));
  const { machine, call, path } = fixture;
  const reader = await readerOf(fixture);
  t.true(readFileSync(`/proc/${reader}/cmdline`, 'utf8').startsWith(shell.replaceAll(' ', '\0')));
  const words = ["'", '"\\\n', '$(x) `y` *', '', 'ä💾', '\n\n', 'x'.repeat(5_000)];
  const echoed = await machine.run(call(), ['/bin/sh', '-c', 'printf \'%s\\000\' "$@"', 'sh', ...words], { guard: 'vol-1' });
  t.deepEqual(echoed.stdout.split('\0').slice(0, -1), words);
  for (const input of ['a\0b\n\\0', `\n${'x'.repeat(100_000)}\n`]) t.is((await machine.run(call(), ['cat'], { input })).stdout, input);
  await machine.writeFile(call({ epoch: 2 }), path('file'), 'text', { guard: 'vol-1' });
  t.is(await machine.readFile(call(), path('file')), 'text');
  t.true((await machine.listDirectory(call(), path('.'))).includes('file'));
  await t.throwsAsync(machine.listDirectory(call(), path('none')), { code: 'NOT_FOUND' });
  await t.throwsAsync(machine.waitForPath(call(), path('none'), 'present', { timeLimitMs: 50 }), { code: 'DEADLINE_EXCEEDED' });
  await t.throwsAsync(machine.run(call({ epoch: 1 }), ['true'], { guard: 'vol-1' }), { code: 'ABORTED' });
  await t.throwsAsync(machine.run(call(), ['vbs-no-such-tool']), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(machine.run(call(), ['sleep', '60'], { timeLimitMs: 100 }), { code: 'DEADLINE_EXCEEDED', message: /100 ms/ });
  await cancels(t, machine, fixture);
  const daemon = ['/bin/sh', '-c', 'echo ready; exec sleep 60'] as const;
  const started = await machine.start(call(), 'x', daemon, { guard: 'exp-1', readyLine: /ready/ });
  endGroupAfter(t, started.pid);
  t.deepEqual(await machine.find(call(), 'x'), [started]);
  await machine.stop(call(), 'x', { guard: 'exp-1' });
  t.false(runs(started.pid));
  t.is(await readerOf(fixture, { guard: 'vol-2' }), reader, 'all of it in one session');
}

async function cancels(t: ExecutionContext, machine: Machine, { call, path }: SshFixture): Promise<void> {
  const controller = new AbortController();
  const text = 'echo $$ > "$1"; sleep 60 & wait';
  const running = machine.run(call({ epoch: 2, signal: controller.signal }), ['/bin/sh', '-c', text, 'x', path('pid')], { guard: 'vol-1' });
  const pid = await pidIn(path('pid'));
  await pause(20);
  controller.abort();
  await t.throwsAsync(running, { code: 'DEADLINE_EXCEEDED', message: /cancelled/ });
  t.false(runs(pid));
}

for (const shell of ['/usr/bin/dash', '/bin/bash --posix', '/bin/bash', '/usr/bin/busybox sh']) {
  const title = `ssh session › does all that a machine does where the shell is ${shell}`;
  if (existsSync(shell.split(' ')[0] ?? '')) onSsh(title, (t) => wholeMachine(t, shell));
  else test.skip(`${title} (it is not installed)`, () => undefined);
}
