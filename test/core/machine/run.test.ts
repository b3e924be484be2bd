import { setMaxListeners } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { isVbsError, readConfiguration, Secret, type VbsError } from '@vbs/core';
import test from 'ava';
import { endGroupAfter, eventually, hasPid, machineFixture, onEachMachine, pidIn, runs, withEnoughTime } from './fixture.js';

onEachMachine('run › answers exit code, output and standard error, with LC_ALL=C', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const result = await machine.run(call(), ['/bin/sh', '-c', 'echo "$LC_ALL $0 $1"; echo warned >&2', 'a b', '$HOME;`x`']);
  t.deepEqual(result, { exitCode: 0, stdout: 'C a b $HOME;`x`\n', stderr: 'warned\n' });
});

onEachMachine('run › gives input, and closes standard input without it', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  t.is((await machine.run(call(), ['cat'], { input: 'some text' })).stdout, 'some text');
  t.is((await machine.run(call(), ['cat'], { input: new Secret('hidden') })).stdout, 'hidden');
  t.is((await machine.run(call(), ['cat'])).stdout, '');
  t.is((await machine.run(call(), ['true'], { input: 'x'.repeat(1_000_000) })).exitCode, 0);
});

onEachMachine('run › answers an exit code that is ok, and fails with INTERNAL on another', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const command = ['/bin/sh', '-c', 'echo no such volume >&2; exit 5'] as const;
  t.is((await machine.run(call(), command, { okExitCodes: [0, 5] })).exitCode, 5);
  const error = await t.throwsAsync<VbsError>(machine.run(call(), command), { code: 'INTERNAL', message: /exit code 5: no such volume/ });
  t.like(error?.context, { command, exitCode: 5, stderr: 'no such volume\n' });
});

onEachMachine('run › gives each line as it comes, the last one without a line break too', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const lines: string[] = [];
  await machine.run(call(), ['printf', 'one\\ntwo\\r50%%\\rlast'], { onLine: (line) => lines.push(line) });
  t.deepEqual(lines, ['one', 'two', '50%', 'last']);
});

onEachMachine('run › ends the tool when a line cannot be used, and keeps the cause', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const cause = new Error('no number');
  const onLine = (): void => {
    throw cause;
  };
  const error = await t.throwsAsync<VbsError>(machine.run(call(), ['/bin/sh', '-c', 'echo x; sleep 20'], { onLine }), { code: 'INTERNAL' });
  t.is(error?.cause, cause);
});

const failing = test.macro<[tool: string | null, code: string, message: RegExp]>({
  title: (_, tool, code) => `run › ${tool ?? 'a script whose interpreter is missing'} fails with ${code}`,
  exec: async (t, tool, code, message) => {
    const { machine, call, path } = await machineFixture(t);
    const script = path('script');
    await writeFile(script, '#!/no/such/interpreter\n', { mode: 0o755 });
    const error = await t.throwsAsync<VbsError>(machine.run(call(), [tool ?? script]), { code, message });
    t.is(error?.context.tool, tool ?? script);
    t.is(error?.cause, undefined);
  },
});
test(failing, 'vbs-no-such-tool', 'FAILED_PRECONDITION', /vbs-no-such-tool is not installed/);
test(failing, '/usr/sbin/vbs-no-such-tool', 'FAILED_PRECONDITION', /is not installed/);
test(failing, null, 'FAILED_PRECONDITION', /interpreter/);
test(failing, '/etc/passwd', 'PERMISSION_DENIED', /may not run \/etc\/passwd/);

onEachMachine('run › refuses a NUL in an argument before anything is run', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  await t.throwsAsync(machine.run(call(), ['echo', 'a\0b']), { code: 'INVALID_ARGUMENT' });
});

onEachMachine('run › ends the whole group at the limit, at once, though a grandchild holds the output', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const command = ['/bin/sh', '-c', 'sh -c \'echo $$ > "$1"; sleep 600\' x "$1" & wait', 'x', path('pid')] as const;
  await withEnoughTime(async (timeLimitMs) => {
    const message = new RegExp(`within ${timeLimitMs} ms`);
    await t.throwsAsync(machine.run(call(), command, { timeLimitMs }), { code: 'DEADLINE_EXCEEDED', message });
    if (!(await hasPid(path('pid')))) return 'too short';
    t.false(runs(await pidIn(path('pid'))));
    return 'far enough';
  });
});

onEachMachine('run › ends what ignores SIGTERM by SIGKILL, and answers only when it is gone', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const command = ['/bin/sh', '-c', 'trap "" TERM; echo $$ > "$1"; while :; do sleep 0.1; done', 'x', path('pid')] as const;
  await withEnoughTime(async (timeLimitMs) => {
    await t.throwsAsync(machine.run(call(), command, { timeLimitMs }), { code: 'DEADLINE_EXCEEDED' });
    if (!(await hasPid(path('pid')))) return 'too short';
    t.false(runs(await pidIn(path('pid'))));
    return 'far enough';
  });
});

onEachMachine('run › lets a tool finish its work after SIGTERM within the grace', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t, { graceMs: 5_000 });
  const text = 'trap "sleep 0.3; echo cleaned > \\"$1\\"; exit 0" TERM; while :; do sleep 0.05; done';
  await t.throwsAsync(machine.run(call(), ['/bin/sh', '-c', text, 'x', path('out')], { timeLimitMs: 300 }), { code: 'DEADLINE_EXCEEDED' });
  t.is(await readFile(path('out'), 'utf8'), 'cleaned\n');
});

onEachMachine("run › ends when the call's signal comes, with an unknown outcome", async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const controller = new AbortController();
  const running = machine.run(call({ signal: controller.signal }), ['/bin/sh', '-c', 'echo $$ > "$1"; sleep 30', 'x', path('pid')]);
  const pid = await pidIn(path('pid'));
  controller.abort();
  await t.throwsAsync(running, { code: 'DEADLINE_EXCEEDED', message: /cancelled/ });
  t.false(runs(pid));
});

onEachMachine('run › begins nothing when the call was cancelled before', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const cancelled = call({ signal: AbortSignal.abort() });
  await t.throwsAsync(machine.run(cancelled, ['touch', path('made')]), { code: 'ABORTED' });
  await t.throwsAsync(machine.run(cancelled, ['touch', path('made')], { guard: 'vol-1' }), { code: 'ABORTED' });
  await t.throwsAsync(readFile(path('made')), { code: 'ENOENT' });
});

onEachMachine('run › waits for what the tool has left in its group', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const result = await machine.run(call(), [
    '/bin/sh',
    '-c',
    '(sleep 0.4; echo late > "$1") >/dev/null 2>&1 & echo done',
    'x',
    path('out'),
  ]);
  t.is(result.stdout, 'done\n');
  t.is(await readFile(path('out'), 'utf8'), 'late\n');
});

onEachMachine('run › does not wait for a daemon that left the group and holds the output', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const command = [
    '/bin/sh',
    '-c',
    'setsid sh -c \'echo $$ > "$1"; exec sleep 600\' x "$1" & while [ ! -s "$1" ]; do sleep 0.02; done; echo done',
    'x',
    path('pid'),
  ] as const;
  const result = await machine.run(call(), command, { guard: 'vol-1', timeLimitMs: 60_000 });
  const daemon = await pidIn(path('pid'));
  endGroupAfter(t, daemon);
  t.is(result.stdout, 'done\n');
  t.true(runs(daemon));
  await t.notThrowsAsync(machine.run(call(), ['true'], { guard: 'vol-1', timeLimitMs: 30_000 }), 'the daemon does not hold the guard');
  t.true(runs(daemon));
});

onEachMachine('run › loses no output when this process is too busy to read it in time', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const running = machine.run(call(), ['/bin/sh', '-c', 'sleep 0.05; head -c 100000 /dev/zero; echo done']);
  for (let turns = 0; turns < 6; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const until = Date.now() + 250; Date.now() < until; );
  }
  t.is((await running).stdout.length, 100_005);
});

onEachMachine('run › does not wait for a daemon that writes on and on', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const command = [
    '/bin/sh',
    '-c',
    'setsid sh -c \'while sleep 0.05; do echo x; echo $$ > "$1"; done\' x "$1" & while [ ! -s "$1" ]; do sleep 0.02; done',
    'x',
    path('pid'),
  ] as const;
  // It writes until nobody reads any more: who waits for its end meets the limit.
  t.regex((await machine.run(call(), command, { timeLimitMs: 60_000 })).stdout, /^(x\n)+$/);
});

onEachMachine('run › ends a tool that writes more than it may, counted in bytes', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const error = await t.throwsAsync<VbsError>(machine.run(call(), ['yes'], { maxOutputBytes: 1_000, timeLimitMs: 10_000 }), {
    code: 'INTERNAL',
  });
  t.is(error?.context.maxOutputBytes, 1_000);
  t.is((await machine.run(call(), ['printf', 'ää'], { maxOutputBytes: 4 })).stdout, 'ää');
  await t.throwsAsync(machine.run(call(), ['printf', 'ää'], { maxOutputBytes: 3 }), { code: 'INTERNAL' });
});

onEachMachine('run › shows no secret in an error or a log, not where the tool prints it either', async (t, machineFixture) => {
  const { machine, call, logged } = await machineFixture(t);
  const secret = new Secret('hunter2-and-more');
  const shown: unknown[] = [];
  const failures = [
    machine.run(call(), ['/bin/sh', '-c', 'echo "bad password $1" >&2; exit 1', 'x', secret], { guard: 'vol-1' }),
    machine.run(call(), ['/bin/sh', '-c', 'cat >&2; exit 1'], { input: secret }),
    machine.run(call(), ['/bin/sh', '-c', 'echo "$1" >&2; sleep 9', 'x', secret], { timeLimitMs: 200 }),
    machine.run(call(), ['vbs-no-such-tool', secret]),
    machine.run(call(), ['/bin/sh', '-c', 'yes "$1"', 'x', secret], { maxOutputBytes: 500 }),
  ];
  for (const failure of failures) shown.push(await t.throwsAsync(failure));
  for (const value of [...shown, logged]) {
    t.notRegex(inspect(value, { depth: 10, showHidden: true }) + JSON.stringify(value), /hunter2/);
  }
  t.true(shown.every(isVbsError));
});

onEachMachine('run › redacts one line of a secret of many', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const secret = new Secret('first-half\nsecond-half\n');
  const error = await t.throwsAsync<VbsError>(machine.run(call(), ['/bin/sh', '-c', 'echo "$1" | tail -n 2 >&2; exit 1', 'x', secret]));
  t.regex(error?.message ?? '', /\[redacted\]/);
  t.notRegex(JSON.stringify(error), /half/);
});

onEachMachine('run › a limit longer than any timer is no limit', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const long = { timeLimitMs: Number.MAX_SAFE_INTEGER };
  t.is((await machine.run(call(), ['sleep', '0.1'], long)).exitCode, 0);
  t.is((await machine.run(call(), ['sleep', '0.1'], { ...long, timeLimitMs: Number.POSITIVE_INFINITY, guard: 'a' })).exitCode, 0);
});

onEachMachine('run › a tool that could not be started leaves its guard free', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  await t.throwsAsync(machine.run(call(), ['vbs-no-such-tool'], { guard: 'a' }), { code: 'FAILED_PRECONDITION' });
  await t.notThrowsAsync(machine.run(call(), ['true'], { guard: 'a', timeLimitMs: 1_000 }));
});

onEachMachine('run › waits for its turn as long as the call may take, whatever the limit of the command is', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  // The third eight wait for longer than one command may run.
  const all = Array.from({ length: 17 }, () => machine.run(call(), ['sleep', '1'], { timeLimitMs: 1_900 }));
  t.is((await Promise.all(all)).length, 17);
});

onEachMachine('run › lets 8 commands run at once, not more', async (t, machineFixture) => {
  const { machine, call, script, path } = await machineFixture(t);
  const counting = await script('count', `touch "$1/run-$$"; ls "$1" | grep -c run-; sleep 0.2; rm "$1/run-$$"`);
  const runs = Array.from({ length: 20 }, () => machine.run(call(), [counting, path('.')]));
  const counts = (await Promise.all(runs)).map(({ stdout }) => Number(stdout));
  t.true(Math.max(...counts) <= 8, `${Math.max(...counts)} ran at once`);
  t.true(Math.max(...counts) >= 4);
});

onEachMachine('run › refuses with UNAVAILABLE when the queue is full, and a waiter may be cancelled', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  const own = call({ signal: controller.signal });
  const command = ['/bin/sh', '-c', 'touch "$1/begun-$$"; exec sleep 20', 'x', path('.')] as const;
  const running = Array.from({ length: 8 + 256 }, () => machine.run(own, command).catch((error: VbsError) => error.code));
  await eventually(async () => ((await readdir(path('.'))).filter((name) => name.startsWith('begun-')).length === 8 ? true : undefined));
  await t.throwsAsync(machine.run(call(), ['true']), { code: 'UNAVAILABLE' });
  controller.abort();
  const codes = await Promise.all(running);
  t.is(codes.filter((code) => code === 'ABORTED').length, 256);
  t.is(codes.filter((code) => code === 'DEADLINE_EXCEEDED').length, 8);
});

test('run › no tool gets the environment variables that a configuration has read secrets from', async (t) => {
  const { machine, call } = await machineFixture(t);
  process.env.VBS_TEST_MASTER_KEY = 'k'.repeat(32);
  t.teardown(() => delete process.env.VBS_TEST_MASTER_KEY);
  const shown = async () => (await machine.run(call(), ['env'])).stdout;
  t.regex(await shown(), /VBS_TEST_MASTER_KEY=k/);
  await readConfiguration({ masterKey: { env: 'VBS_TEST_MASTER_KEY' } });
  t.notRegex(await shown(), /VBS_TEST_MASTER_KEY/);
  t.regex(await shown(), /PATH=/);
});
