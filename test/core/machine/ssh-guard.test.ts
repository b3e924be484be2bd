import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { VbsError } from '@vbs/core';
import type { ExecutionContext } from 'ava';
import { endGroupAfter, eventually, onSsh, ownSshd, pidIn, runs, type SshFixture, spawnHolder, sshFixture } from './fixture.js';

const guard = 'vs1/fast/vol-1';
const file = encodeURIComponent(guard);

/** A tool under the guard, with epoch 5, of a process that was then killed by SIGKILL. */
async function orphanedTool(t: ExecutionContext, fixture: SshFixture, tool: string): Promise<number> {
  const command = JSON.stringify(['/bin/sh', '-c', tool, 'x', fixture.path('pid'), fixture.path('out')]);
  const holder = spawnHolder(t, fixture, `await machine.run(call(5), ${command}, { guard: '${guard}' });`);
  const pid = await pidIn(fixture.path('pid'));
  endGroupAfter(t, pid);
  await holder.kill();
  t.true(runs(pid), 'the tool outlives its process');
  return pid;
}

onSsh('ssh guard › keeps commands of one resource apart, in one process and in two', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call, script, path } = fixture;
  const other = fixture.another();
  const alone = await script('alone', 'mkdir "$1" || exit 9; sleep 0.1; rmdir "$1"');
  const apart = [machine, other, machine, other].map((each) => each.run(call(), [alone, path('alone-here')], { guard }));
  await t.notThrowsAsync(Promise.all(apart));
  const meet = await script('meet', 'touch "$1"; while [ ! -e "$2" ]; do sleep 0.02; done');
  const run = (guarded: string, own: string, others: string): Promise<unknown> =>
    machine.run(call(), [meet, path(own), path(others)], { guard: guarded, timeLimitMs: 60_000 });
  await t.notThrowsAsync(Promise.all([run('vol-1', 'one', 'two'), run('vol-2', 'two', 'one')]));
});

onSsh('ssh guard › a process with a lower epoch changes nothing any more (safety B1)', async (t) => {
  const { machine, another, call, path } = await sshFixture(t);
  await machine.run(call({ epoch: 7 }), ['true'], { guard });
  const overtaken = another();
  const low = call({ epoch: 6 });
  const error = await t.throwsAsync<VbsError>(overtaken.run(low, ['touch', path('made')], { guard }), { code: 'ABORTED' });
  t.like(error?.context, { epoch: 6, seenEpoch: 7 });
  await t.throwsAsync(overtaken.writeFile(low, path('made'), 'x', { guard }), { code: 'ABORTED' });
  await t.throwsAsync(overtaken.settle(low, guard), { code: 'ABORTED' });
  await t.throwsAsync(overtaken.stop(low, 'x', { guard }), { code: 'ABORTED' });
  await t.throwsAsync(stat(path('made')), { code: 'ENOENT' });
  await t.notThrowsAsync(machine.run(call({ epoch: 7 }), ['true'], { guard }));
});

onSsh('ssh guard › a tool outlives the process that started it, keeps its guard, and is waited for by the next (safety B1)', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call, path } = fixture;
  await orphanedTool(t, fixture, 'echo $$ > "$1"; while [ ! -e "$2.go" ]; do sleep 0.05; done; echo first >> "$2"');
  const soon = { guard, timeLimitMs: 300 };
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], soon), { code: 'ABORTED', message: /still runs/ });
  const settling = machine.settle(call({ epoch: 6 }), guard);
  await writeFile(path('out.go'), '');
  await settling;
  t.is(await readFile(path('out'), 'utf8'), 'first\n');
  await t.throwsAsync(machine.run(call({ epoch: 5 }), ['true'], { guard }), { code: 'ABORTED', message: /taken over/ });
});

onSsh('ssh guard › is held also by a tool that closed the inherited lock, and whose pid was not recorded in time', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, call, path, stateDirectory } = fixture;
  const pid = await orphanedTool(t, fixture, 'exec 9>&-; echo $$ > "$1"; sleep 60');
  const record = join(stateDirectory, 'guards', `${file}.tool`);
  const [bootId, token] = (await readFile(record, 'utf8')).split(' ');
  // Its session is gone too, with the lock that it held: only the record and the mark are left.
  const parent = /^PPid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  process.kill(Number(parent), 'SIGKILL');
  const soon = { guard, timeLimitMs: 300 };
  const error = await t.throwsAsync<VbsError>(machine.run(call({ epoch: 6 }), ['true'], soon), { code: 'ABORTED' });
  t.deepEqual(error?.context.pids, [pid]);
  await writeFile(record, `${bootId} ${token} - -\n`);
  const marked = await t.throwsAsync<VbsError>(machine.run(call({ epoch: 6 }), ['true'], soon), { code: 'ABORTED' });
  t.true((marked?.context.pids as readonly number[] | undefined)?.includes(pid));
  process.kill(-pid, 'SIGKILL');
  await t.notThrowsAsync(machine.run(call({ epoch: 6 }), ['touch', path('made')], { guard }));
});

onSsh('ssh guard › a boot ends the tool of its record, not its epoch', async (t) => {
  const { machine, call, stateDirectory } = await sshFixture(t);
  await machine.run(call({ epoch: 7 }), ['true'], { guard });
  await writeFile(join(stateDirectory, 'guards', `${file}.tool`), `another-boot 0123 ${process.pid} 1\n`);
  await t.throwsAsync(machine.run(call({ epoch: 6 }), ['true'], { guard }), { code: 'ABORTED' });
  await t.notThrowsAsync(machine.run(call({ epoch: 7 }), ['true'], { guard }));
});

for (const text of ['', '12', 'x end\n', '7 en'])
  onSsh(`ssh guard › a record that is ${JSON.stringify(text)} refuses every command until recovery has settled it`, async (t) => {
    const { machine, call, stateDirectory } = await sshFixture(t);
    await machine.run(call({ epoch: 5 }), ['true'], { guard });
    await writeFile(join(stateDirectory, 'guards', `${file}.epoch`), text);
    await t.throwsAsync(machine.run(call({ epoch: 9 }), ['true'], { guard }), { code: 'FAILED_PRECONDITION', message: /damaged/ });
    await machine.settle(call({ epoch: 9 }), guard);
    await t.notThrowsAsync(machine.run(call({ epoch: 9 }), ['true'], { guard }));
    await t.throwsAsync(machine.run(call({ epoch: 8 }), ['true'], { guard }), { code: 'ABORTED' });
  });

onSsh('ssh guard › a tool is in the record before it begins, and no more when it has ended', async (t) => {
  const { machine, call, stateDirectory } = await sshFixture(t);
  const record = join(stateDirectory, 'guards', `${file}.tool`);
  const own = '[ "$(cut -d" " -f2,3 "$1")" = "$VBS_GUARD $$" ]';
  await t.notThrowsAsync(machine.run(call(), ['/bin/sh', '-c', own, 'x', record], { guard }));
  t.is(await readFile(record, 'utf8'), '');
});

onSsh('ssh guard › its files are for their owner alone', async (t) => {
  const { machine, call, stateDirectory } = await sshFixture(t);
  await machine.run(call(), ['true'], { guard });
  const folder = join(stateDirectory, 'guards');
  t.is((await stat(folder)).mode & 0o777, 0o700);
  const names = await readdir(folder);
  t.deepEqual(names.sort(), [`${file}.epoch`, `${file}.lock`, `${file}.tool`]);
  for (const name of names) t.is((await stat(join(folder, name))).mode & 0o777, 0o600);
});

onSsh('ssh guard › a lock whose file an operator removed is taken anew', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, another, call, path, stateDirectory } = fixture;
  const command = ['/bin/sh', '-c', 'echo $$ > "$1"; while [ ! -e "$1.go" ]; do sleep 0.05; done', 'x', path('pid')] as const;
  const first = machine.run(call(), command, { guard });
  await pidIn(path('pid'));
  const waiting = another().run(call(), ['true'], { guard, timeLimitMs: 20_000 });
  await rm(join(stateDirectory, 'guards', `${file}.lock`));
  await writeFile(path('pid.go'), '');
  await t.notThrowsAsync(Promise.all([first, waiting]));
});

onSsh('ssh guard › refuses a resource that leads out of its folder', async (t) => {
  const { machine, call, stateDirectory } = await sshFixture(t);
  for (const resource of ['', '../x', 'a/../b', '/etc', 'A', 'a\nb', '-a', 'x'.repeat(181)])
    await t.throwsAsync(async () => machine.run(call(), ['true'], { guard: resource }), { code: 'INVALID_ARGUMENT' });
  await t.throwsAsync(readdir(stateDirectory), { code: 'ENOENT' });
});

onSsh('ssh guard › says what to do where its folder cannot be made', async (t) => {
  const { machine, call, stateDirectory } = await sshFixture(t);
  await writeFile(stateDirectory, 'a file in its place');
  await t.throwsAsync(machine.run(call(), ['true'], { guard }), { message: new RegExp(`${stateDirectory}.*on vs1`) });
});

onSsh('ssh guard › a call that is cancelled while it waits begins nothing', async (t) => {
  const fixture = await sshFixture(t);
  const { machine, another, call, path } = fixture;
  const first = machine.run(call(), ['/bin/sh', '-c', 'echo $$ > "$1"; while [ ! -e "$1.go" ]; do sleep 0.05; done', 'x', path('pid')], {
    guard,
  });
  await pidIn(path('pid'));
  const controller = new AbortController();
  const other = another();
  await other.bootId(call());
  const waiting = other.run(call({ signal: controller.signal }), ['touch', path('made')], { guard });
  await eventually(async () => ((await readdir('/proc/self/task')).length > 0 ? true : undefined));
  controller.abort();
  await t.throwsAsync(waiting, { code: 'ABORTED' });
  await writeFile(path('pid.go'), '');
  await first;
  await t.notThrowsAsync(other.run(call(), ['true'], { guard }));
  await t.throwsAsync(stat(path('made')), { code: 'ENOENT' });
});

const bash = '/bin/bash';

/** As a machine whose /bin/sh is bash has it. */
const byBash = `ForceCommand eval "$(printf '%s' "$SSH_ORIGINAL_COMMAND" | sed 's#^exec /bin/sh#exec ${bash} --posix#')"`;

onSsh('ssh guard › holds and lets go, and commands end at their limits, where the shell is bash', async (t) => {
  const sshd = await ownSshd(t, [byBash]);
  const { machine, another, call, path } = await sshFixture(t, {}, sshd);
  const long = ['/bin/sh', '-c', 'echo $$ > "$1"; sleep 60 & wait', 'x', path('pid')] as const;
  const controller = new AbortController();
  const running = machine.run(call({ signal: controller.signal }), long, { guard });
  const pid = await pidIn(path('pid'));
  await t.throwsAsync(another().run(call(), ['true'], { guard, timeLimitMs: 300 }), { code: 'ABORTED', message: /still runs/ });
  controller.abort();
  await t.throwsAsync(running, { code: 'DEADLINE_EXCEEDED', message: /cancelled/ });
  t.false(runs(pid));
  t.deepEqual(await machine.run(call({ epoch: 2 }), ['cat'], { guard, input: 'text' }), { exitCode: 0, stdout: 'text', stderr: '' });
  await t.throwsAsync(machine.run(call({ epoch: 1 }), ['true'], { guard }), { code: 'ABORTED' });
  await t.throwsAsync(machine.run(call(), ['vbs-no-such-tool']), { code: 'FAILED_PRECONDITION' });
});
