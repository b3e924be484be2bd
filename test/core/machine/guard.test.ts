import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { endGroupAfter, type Fixture, machineFixture, pidIn, runs, spawnHolder } from './fixture.js';

const guard = 'vs1/fast/vol-1';

/** A tool under the guard, with epoch 5, of a process that was then killed by SIGKILL. */
async function orphanedTool(t: ExecutionContext, fixture: Fixture, tool: string): Promise<number> {
  const command = JSON.stringify(['/bin/sh', '-c', tool, 'x', fixture.path('pid'), fixture.path('out')]);
  const holder = spawnHolder(t, fixture.stateDirectory, `await machine.run(call(5), ${command}, { guard: '${guard}' });`);
  const pid = await pidIn(fixture.path('pid'));
  endGroupAfter(t, pid);
  await pause(200);
  await holder.kill();
  t.true(runs(pid), 'the tool outlives its process');
  return pid;
}

test('guard › keeps commands of one resource apart, and those of two not', async (t) => {
  const { machine, call, script, path } = await machineFixture(t);
  const alone = await script('alone', 'mkdir "$1" || exit 9; sleep 0.1; rmdir "$1"');
  const apart = ['vol-1', 'vol-1', 'vol-1'].map((name) => machine.run(call(), [alone, path('alone-here')], { guard: name }));
  await t.notThrowsAsync(Promise.all(apart));
  // Each ends only once it has seen the other.
  const meet = await script('meet', 'touch "$1"; while [ ! -e "$2" ]; do sleep 0.02; done');
  const run = (guarded: string, own: string, others: string): Promise<unknown> =>
    machine.run(call(), [meet, path(own), path(others)], { guard: guarded, timeLimitMs: 60_000 });
  await t.notThrowsAsync(Promise.all([run('vol-1', 'one', 'two'), run('vol-2', 'two', 'one')]));
});

test('guard › refuses a lower epoch with ABORTED and runs nothing; an equal one goes on', async (t) => {
  const { machine, call, path } = await machineFixture(t);
  await machine.run(call({ epoch: 7 }), ['true'], { guard });
  const error = await t.throwsAsync<VbsError>(machine.run(call({ epoch: 6 }), ['touch', path('made')], { guard }), { code: 'ABORTED' });
  t.like(error?.context, { epoch: 6, seenEpoch: 7 });
  let acted = false;
  const act = async (): Promise<void> => {
    acted = true;
  };
  await t.throwsAsync(machine.guarded(call({ epoch: 6 }), guard, act), { code: 'ABORTED' });
  await t.throwsAsync(machine.writeFile(call({ epoch: 6 }), path('made'), 'x', { guard }), { code: 'ABORTED' });
  t.false(acted);
  await t.throwsAsync(stat(path('made')), { code: 'ENOENT' });
  await t.notThrowsAsync(machine.run(call({ epoch: 7 }), ['true'], { guard }));
});

test('guard › a process that woke up late, with the epoch of its lost lease, does no harm', async (t) => {
  const { guards, call, stateDirectory, path } = await machineFixture(t);
  const woken = `
    await machine.run(call(5), ['true'], { guard: '${guard}' });
    process.kill(process.pid, 'SIGSTOP');
    const code = await machine.run(call(5), ['touch', ${JSON.stringify(path('harm'))}], { guard: '${guard}' }).then(() => 'ran', (error) => error.code);
    const { writeFileSync } = await import('node:fs');
    writeFileSync(${JSON.stringify(path('code'))}, code);
    await new Promise((resolve) => setTimeout(resolve, 10_000));`;
  const holder = spawnHolder(t, stateDirectory, woken);
  const stopped = async (): Promise<boolean> => /State:\s+T/.test(await readFile(`/proc/${holder.pid}/status`, 'utf8'));
  for (let tries = 0; tries < 500 && !(await stopped()); tries++) await pause(20);
  await guards.settle(call({ epoch: 6 }), guard, { leftovers: 'end' });
  process.kill(holder.pid, 'SIGCONT');
  for (let tries = 0; tries < 500 && !(await readdir(path('.'))).includes('code'); tries++) await pause(20);
  await pause(50);
  t.is(await readFile(path('code'), 'utf8'), 'ABORTED');
  await t.throwsAsync(stat(path('harm')), { code: 'ENOENT' });
});

test('guard › is held by a tool whose process was killed by SIGKILL, until the tool ends (safety B1)', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, call, path } = fixture;
  await orphanedTool(t, fixture, 'echo $$ > "$1"; sleep 5; echo first >> "$2"');
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard, timeLimitMs: 200 }), { code: 'ABORTED', message: /still runs/ });
  await machine.run(call({ epoch: 6 }), ['/bin/sh', '-c', 'echo second >> "$1"', 'x', path('out')], { guard });
  t.is(await readFile(path('out'), 'utf8'), 'first\nsecond\n');
});

test('guard › is held by the tool also when its record was lost', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, call, path, stateDirectory } = fixture;
  await orphanedTool(t, fixture, 'echo $$ > "$1"; sleep 5; echo first >> "$2"');
  await rm(join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`));
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard, timeLimitMs: 200 }), { code: 'ABORTED', message: /still runs/ });
  await machine.run(call({ epoch: 6 }), ['/bin/sh', '-c', 'echo second >> "$1"', 'x', path('out')], { guard });
  t.is(await readFile(path('out'), 'utf8'), 'first\nsecond\n');
});

test('guard › is held also by a tool that closed the inherited lock, as LVM and sudo do', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, call, path } = fixture;
  await orphanedTool(t, fixture, 'exec 3>&-; echo $$ > "$1"; sleep 5; echo first >> "$2"');
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard, timeLimitMs: 200 }), { code: 'ABORTED' });
  await machine.run(call({ epoch: 6 }), ['/bin/sh', '-c', 'echo second >> "$1"', 'x', path('out')], { guard });
  t.is(await readFile(path('out'), 'utf8'), 'first\nsecond\n');
});

test('guard › is held also by a tool whose pid was not recorded in time and that closed the lock', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, guards, call, stateDirectory } = fixture;
  const pid = await orphanedTool(t, fixture, 'exec 3>&-; echo $$ > "$1"; sleep 20');
  const path = join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`);
  const record = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...record, tools: [{ token: record.tools[0].token }] }));
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard, timeLimitMs: 200 }), { code: 'ABORTED' });
  await guards.settle(call({ epoch: 6 }), guard, { leftovers: 'end', graceMs: 200 });
  t.false(runs(pid));
});

test('settle › waits for what a predecessor left, then shuts its epoch out', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, guards, call, path } = fixture;
  await orphanedTool(t, fixture, 'echo $$ > "$1"; sleep 5; echo first >> "$2"');
  const soon = { leftovers: 'wait', timeLimitMs: 200 } as const;
  const error = await t.throwsAsync<VbsError>(guards.settle(call({ epoch: 6 }), guard, soon), { code: 'DEADLINE_EXCEEDED' });
  t.is((error?.context.pids as readonly number[] | undefined)?.length, 1);
  await machine.settle(call({ epoch: 6 }), guard);
  t.is(await readFile(path('out'), 'utf8'), 'first\n');
  await t.throwsAsync(machine.run(call({ epoch: 5 }), ['true'], { guard }), { code: 'ABORTED', message: /taken over/ });
});

test('settle › ends what a predecessor left, with its group', async (t) => {
  const fixture = await machineFixture(t);
  const { machine, guards, call, path } = fixture;
  const pid = await orphanedTool(t, fixture, 'trap "" TERM; echo $$ > "$1"; sleep 20; echo first >> "$2"');
  await guards.settle(call({ epoch: 6 }), guard, { leftovers: 'end', graceMs: 200 });
  t.false(runs(pid));
  await t.throwsAsync(stat(path('out')), { code: 'ENOENT' });
  await t.notThrowsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard }));
});

test('settle › ends nothing by the epoch of a lost lease', async (t) => {
  const fixture = await machineFixture(t);
  const pid = await orphanedTool(t, fixture, 'echo $$ > "$1"; sleep 20');
  await t.throwsAsync(fixture.guards.settle(fixture.call({ epoch: 4 }), guard, { leftovers: 'end' }), { code: 'ABORTED' });
  t.true(runs(pid));
});

test('settle › does not end a process that was given the pid of a recorded tool', async (t) => {
  const fixture = await machineFixture(t);
  const { guards, call, stateDirectory } = fixture;
  const pid = await orphanedTool(t, fixture, 'exec 3>&-; echo $$ > "$1"; sleep 20');
  const path = join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`);
  const record = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...record, tools: [{ token: 'another', process: { pid, startTime: 1 } }] }));
  await guards.settle(call({ epoch: 6 }), guard, { leftovers: 'end', graceMs: 200 });
  t.true(runs(pid));
});

const damaged = test.macro<[what: string, text: string]>({
  title: (_, what) => `guard › a record ${what} refuses every command until recovery has settled it`,
  exec: async (t, _, text) => {
    const { machine, guards, call, stateDirectory } = await machineFixture(t);
    await machine.run(call({ epoch: 5 }), ['true'], { guard });
    await writeFile(join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`), text);
    await t.throwsAsync(machine.run(call({ epoch: 9 }), ['true'], { guard }), { code: 'FAILED_PRECONDITION', message: /damaged/ });
    await guards.settle(call({ epoch: 9 }), guard, { leftovers: 'wait' });
    await t.notThrowsAsync(machine.run(call({ epoch: 9 }), ['true'], { guard }));
    await t.throwsAsync(machine.run(call({ epoch: 8 }), ['true'], { guard }), { code: 'ABORTED' });
  },
});
test(damaged, 'that is empty', '');
test(damaged, 'that is cut', '{"epoch":5,"hol');
test(damaged, 'of zeros', '\0'.repeat(64));
test(damaged, 'that is something else', '[1]');

test('guard › a record that a power cut left half written counts as none: no command of the boot before runs', async (t) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  await machine.run(call({ epoch: 5 }), ['true'], { guard });
  const path = join(stateDirectory, 'guards', encodeURIComponent(guard));
  const thisBoot = await readFile(`${path}.lock`, 'utf8');
  t.is(thisBoot, (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim());
  await writeFile(`${path}.json`, '');
  await writeFile(`${path}.lock`, thisBoot.replaceAll(/[0-9a-f]/g, '0'));
  await t.notThrowsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard }));
  await t.throwsAsync(machine.run(call({ epoch: 5 }), ['true'], { guard }), { code: 'ABORTED' });
  t.is(await readFile(`${path}.lock`, 'utf8'), thisBoot);
});

test('guard › a record that becomes shorter is whole', async (t) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  await machine.run(call({ epoch: 5 }), ['true'], { guard });
  const path = join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`);
  const long = await readFile(path, 'utf8');
  await machine.guarded(call({ epoch: 6 }), guard, async () => undefined);
  const short = JSON.parse(await readFile(path, 'utf8'));
  t.deepEqual({ epoch: short.epoch, tools: short.tools }, { epoch: 6, tools: [] });
  t.true(long.length > JSON.stringify(short).length);
});

test('guarded › answers what the act answers, keeps others out, and lets go when the act fails', async (t) => {
  const { machine, call } = await machineFixture(t);
  const order: string[] = [];
  let begins: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begins = resolve;
  });
  const first = machine.guarded(call(), guard, async () => {
    order.push('first begins');
    begins();
    await pause(100);
    order.push('first ends');
    throw new RangeError('as it is');
  });
  await begun;
  const second = machine.guarded(call(), guard, async () => order.push('second'));
  await t.throwsAsync(first, { instanceOf: RangeError, message: 'as it is' });
  t.is(await second, 3);
  t.deepEqual(order, ['first begins', 'first ends', 'second']);
});

test('guarded › may run commands under the guard that it holds', async (t) => {
  const { machine, call, path } = await machineFixture(t);
  await machine.guarded(call(), guard, async () => {
    await machine.run(call(), ['true'], { guard, timeLimitMs: 1_000 });
    await machine.writeFile(call(), path('file'), 'text', { guard });
    const [a, b] = await Promise.all(['a', 'b'].map((text) => machine.run(call(), ['echo', text], { guard })));
    t.is(`${a?.stdout}${b?.stdout}`, 'a\nb\n');
  });
  t.is(await readFile(path('file'), 'utf8'), 'text');
});

test('guard › a tool is in the record before it begins', async (t) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  const record = join(stateDirectory, 'guards', `${encodeURIComponent(guard)}.json`);
  await t.notThrowsAsync(machine.run(call(), ['/bin/sh', '-c', 'grep -q "$VBS_GUARD" "$1"', 'x', record], { guard }));
});

test('guard › its files are for their owner alone', async (t) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  await machine.run(call(), ['true'], { guard });
  const folder = join(stateDirectory, 'guards');
  t.is((await stat(folder)).mode & 0o777, 0o700);
  const names = await readdir(folder);
  t.deepEqual(names.sort(), ['vs1%2Ffast%2Fvol-1.json', 'vs1%2Ffast%2Fvol-1.lock']);
  for (const name of names) t.is((await stat(join(folder, name))).mode & 0o777, 0o600);
});

for (const resource of [
  '',
  '..',
  '../x',
  'a/../b',
  '/etc',
  'a//b',
  'a/',
  'A',
  'a b',
  'a\nb',
  'a\0',
  '.a',
  'a..b',
  '-a',
  'ä',
  'x'.repeat(181),
]) {
  test(`guard › refuses the resource ${JSON.stringify(resource.slice(0, 20))}`, async (t) => {
    const { machine, call, stateDirectory } = await machineFixture(t);
    await t.throwsAsync(machine.run(call(), ['true'], { guard: resource }), { code: 'INVALID_ARGUMENT' });
    await t.throwsAsync(readdir(stateDirectory), { code: 'ENOENT' });
  });
}
