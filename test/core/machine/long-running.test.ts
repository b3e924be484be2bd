import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Secret, type VbsError } from '@vbs/core';
import { isGroupRunning } from '@vbs/core/internal/machine/proc.js';
import test, { type ExecutionContext } from 'ava';
import { type AnyFixture, endGroupAfter, eventually, machineFixture, onEachMachine, pidIn, runs, spawnHolder } from './fixture.js';

const guard = 'nbd/exp-1';
const name = 'nbd/exp-1';
const readyLine = /^listening on (\d+)$/;
const daemon = ['/bin/sh', '-c', 'echo starting; sleep 0.1; echo listening on 10809; while :; do sleep 0.1; done'] as const;

async function started(
  t: ExecutionContext,
  { machine, call }: AnyFixture,
  command: readonly [string, ...string[]] = daemon,
): Promise<number> {
  const { pid } = await machine.start(call(), name, command, { guard, readyLine });
  endGroupAfter(t, pid);
  return pid;
}

/** The file that one long-running command is written down in. */
async function recordIn(stateDirectory: string): Promise<string> {
  const folder = join(stateDirectory, 'processes');
  const [name = ''] = (await readdir(folder)).filter((file) => !file.endsWith('.log'));
  return join(folder, name);
}

onEachMachine('start › answers when the ready line has come, and find, start and stop know it by its name', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call, stateDirectory } = fixture;
  const pid = await started(t, fixture);
  t.true(runs(pid));
  t.deepEqual(await machine.find(call(), 'nbd/'), [{ name, pid }]);
  t.deepEqual(await machine.find(call(), 'aoe/'), []);
  t.deepEqual(await machine.start(call(), name, daemon, { guard, readyLine }), { name, pid });
  t.regex(await readFile(join(stateDirectory, 'processes', 'nbd%2Fexp-1.log'), 'utf8'), /listening on 10809/);
  await machine.stop(call(), name, { guard });
  t.false(runs(pid));
  t.deepEqual(await machine.find(call(), ''), []);
  t.deepEqual(await readdir(join(stateDirectory, 'processes')), []);
  await t.notThrowsAsync(machine.stop(call(), name, { guard }), 'the absent is success');
});

onEachMachine('start › does not hold its guard for as long as the command runs', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  await started(t, fixture);
  await t.notThrowsAsync(fixture.machine.run(fixture.call(), ['true'], { guard, timeLimitMs: 1_000 }));
});

onEachMachine('start › a command outlives the process that started it, and another finds it, by the record', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call } = fixture;
  const options = `{ guard: '${guard}', readyLine: /listening/ }`;
  const holder = spawnHolder(
    t,
    fixture,
    `await machine.start(call(1), '${name}', ${JSON.stringify(daemon)}, ${options}); await new Promise((resolve) => setTimeout(resolve, 20_000));`,
  );
  const { pid } = await eventually(async () => (await machine.find(call(), ''))[0]);
  endGroupAfter(t, pid);
  await holder.kill();
  t.true(runs(pid));
  t.deepEqual(await machine.find(call(), ''), [{ name, pid }]);
  t.deepEqual(await machine.start(call(), name, daemon, { guard, readyLine }), { name, pid });
  await machine.stop(call(), name, { guard });
  t.false(runs(pid));
});

onEachMachine('find › finds a command that was started just before a crash and not recorded', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call, stateDirectory } = fixture;
  const pid = await started(t, fixture);
  await rm(await recordIn(stateDirectory));
  t.deepEqual(await machine.find(call(), 'nbd/exp-1'), [{ name, pid }]);
  t.deepEqual(await machine.start(call(), name, daemon, { guard, readyLine }), { name, pid });
  await machine.stop(call(), name, { guard });
  t.false(runs(pid));
});

test('find › does not know the commands of another store, nor a process that was given the pid', async (t) => {
  const [fixture, other] = [await machineFixture(t), await machineFixture(t)];
  const pid = await started(t, fixture);
  t.deepEqual(await other.machine.find(other.call(), ''), []);
  const folder = join(other.stateDirectory, 'processes');
  await other.machine.run(other.call(), ['mkdir', '-p', folder]);
  const bootId = await other.machine.bootId(other.call());
  const record = { name: 'x', pid, startTime: 1, bootId, ready: true };
  await writeFile(join(folder, 'x.json'), JSON.stringify(record));
  t.deepEqual(await other.machine.find(other.call(), ''), []);
  await other.machine.stop(other.call(), 'x', { guard: 'x' });
  t.true(runs(pid), 'a stranger is not ended');
  const own = JSON.parse(await readFile(join(fixture.stateDirectory, 'processes', 'nbd%2Fexp-1.json'), 'utf8'));
  await writeFile(join(folder, 'x.json'), JSON.stringify({ ...own, name: 'x', bootId: 'another' }));
  t.deepEqual(await other.machine.find(other.call(), ''), []);
});

onEachMachine('find › looks for a command whose record is damaged by its mark, and warns', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call, stateDirectory, logged } = fixture;
  const pid = await started(t, fixture);
  await writeFile(await recordIn(stateDirectory), '{"pid":');
  t.deepEqual(await machine.find(call(), ''), [{ name, pid }]);
  t.true(logged.some(({ level, message }) => level === 'warn' && /damaged/.test(message)));
});

onEachMachine('start › a command that ends before it is ready fails with its output, without its secrets', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const command = ['/bin/sh', '-c', 'echo "port $1 in use"; exit 3', 'x', new Secret('s3cret-port')] as const;
  const error = await t.throwsAsync<VbsError>(machine.start(call(), name, command, { guard, readyLine }), {
    code: 'INTERNAL',
    message: /ended before it was ready: port \[redacted\] in use/,
  });
  t.like(error?.context, { exitCode: 3, stderr: 'port [redacted] in use\n' });
  t.notRegex(inspect(error, { depth: 9 }), /s3cret/);
  t.deepEqual(await machine.find(call(), ''), []);
});

onEachMachine('start › a command that is not ready in time is ended with its group', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const command = ['/bin/sh', '-c', 'echo $$ > "$1"; echo hello; sleep 30 & wait', 'x', path('pid')] as const;
  const error = await t.throwsAsync<VbsError>(machine.start(call(), name, command, { guard, readyLine, timeLimitMs: 400 }), {
    code: 'DEADLINE_EXCEEDED',
    message: /not ready within 400 ms/,
  });
  t.is(error?.context.stderr, 'hello\n');
  t.false(runs(Number(await readFile(path('pid'), 'utf8'))));
  t.deepEqual(await machine.find(call(), ''), []);
});

onEachMachine('start › a command whose call is cancelled is ended again', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const controller = new AbortController();
  const command = ['/bin/sh', '-c', 'echo $$ > "$1"; exec sleep 30', 'x', path('pid')] as const;
  const starting = machine.start(call({ signal: controller.signal }), name, command, { guard, readyLine });
  const pid = await pidIn(path('pid'));
  controller.abort();
  await t.throwsAsync(starting, { code: 'DEADLINE_EXCEEDED' });
  t.false(runs(pid));
  t.deepEqual(await machine.find(call(), ''), []);
});

test('start › its end is waited for in a process that has nothing else to do', async (t) => {
  const { stateDirectory } = await machineFixture(t);
  const options = `{ guard: '${guard}', readyLine: /never/, timeLimitMs: 100 }`;
  // Left to end while a promise was still open, the process would end with 13.
  const body = `
    const told = await machine.start(call(1), '${name}', ['sleep', '600'], ${options}).then(() => '', (error) => error.code);
    process.exitCode = told === 'DEADLINE_EXCEEDED' ? 0 : 1;`;
  const holders = [1, 2, 3].map((number) => spawnHolder(t, `${stateDirectory}-${number}`, body));
  t.deepEqual(await Promise.all(holders.map(({ ended }) => ended)), [0, 0, 0]);
});

onEachMachine('start › a started command keeps nobody from ending', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call } = fixture;
  const body = `await machine.start(call(1), '${name}', ${JSON.stringify(daemon)}, { guard: '${guard}', readyLine: /listening/ });`;
  t.is(await spawnHolder(t, fixture, body).ended, 0);
  const [found] = await machine.find(call(), name);
  endGroupAfter(t, found?.pid ?? 0);
  t.true(runs(found?.pid ?? 0));
});

onEachMachine('start › a tool that is not installed is FAILED_PRECONDITION', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  const starting = machine.start(call(), name, ['vbs-no-such-tool'], { guard, readyLine });
  t.like((await t.throwsAsync<VbsError>(starting, { code: 'FAILED_PRECONDITION' }))?.context, { tool: 'vbs-no-such-tool' });
});

onEachMachine('start › two at once under one name start one', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const pids = await Promise.all([started(t, fixture), started(t, fixture), started(t, fixture)]);
  t.is(new Set(pids).size, 1);
});

onEachMachine('start › a ready line with the flag g is found each time', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call } = fixture;
  const global = /listening/g;
  for (const each of ['a', 'b', 'c']) {
    const { pid } = await machine.start(call(), each, daemon, { guard, readyLine: global, timeLimitMs: 3_000 });
    endGroupAfter(t, pid);
  }
  t.is((await machine.find(call(), '')).length, 3);
});

onEachMachine('stop › ends what ignores SIGTERM after the grace, children too', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call } = fixture;
  const stubborn = ['/bin/sh', '-c', 'trap "" TERM; echo listening on 1; sleep 60 & while :; do sleep 0.1; done'] as const;
  const pid = await started(t, fixture, stubborn);
  await machine.stop(call(), name, { guard, graceMs: 200 });
  t.false(runs(pid));
  t.false(isGroupRunning(pid));
});

onEachMachine('stop › a lower epoch stops nothing', async (t, machineFixture) => {
  const fixture = await machineFixture(t);
  const { machine, call } = fixture;
  const pid = await started(t, fixture);
  await machine.settle(call({ epoch: 2 }), guard);
  await t.throwsAsync(machine.stop(call({ epoch: 1 }), name, { guard }), { code: 'ABORTED' });
  await t.throwsAsync(machine.start(call({ epoch: 1 }), 'other', daemon, { guard, readyLine }), { code: 'ABORTED' });
  t.true(runs(pid));
});

onEachMachine('start › refuses a name that leads out of its folder', async (t, machineFixture) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  const starting = async (): Promise<unknown> => machine.start(call(), '../x', daemon, { guard, readyLine });
  await t.throwsAsync(starting, { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(stat(stateDirectory), { code: 'ENOENT' });
});
