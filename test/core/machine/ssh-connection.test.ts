import { readFileSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { VbsError } from '@vbs/core';
import { listProcesses } from '@vbs/core/internal/machine/proc.js';
import { attempt } from '@vbs/core/internal/workflow/attempt.js';
import type { ExecutionContext } from 'ava';
import { endGroupAfter, eventually, onSsh, ownSshd, pidIn, runs, type SshFixture, spawnHolder, sshFixture } from './fixture.js';

const writesItsPid = ['/bin/sh', '-c', 'echo $$ > "$1"; exec sleep 60', 'x'] as const;

/** The ssh processes of a fixture, here. */
function clientsOf({ sshd }: SshFixture): readonly number[] {
  return listProcesses()
    .map(({ pid }) => pid)
    .filter((pid) => commandLineOf(pid).startsWith(`ssh\0-F\0${sshd.configFile}`));
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

onSsh(
  'ssh › a guarded command whose connection is lost has an unknown outcome, is ended, and is not taken for one that did not run',
  async (t) => {
    const sshd = await ownSshd(t);
    const { machine, call, path } = await sshFixture(t, {}, sshd);
    const running = attempt(() => machine.run(call(), [...writesItsPid, path('pid')], { guard: 'vol-1' }));
    const pid = await pidIn(path('pid'));
    for (const connection of sshd.connections()) process.kill(connection, 'SIGKILL');
    const ended = await running;
    t.is(ended.outcome, 'unknown');
    t.like(ended.outcome === 'unknown' ? ended.error : {}, { code: 'DEADLINE_EXCEEDED', context: { reason: 'connection-lost' } });
    t.false(runs(pid), 'nothing of it is still to come');
    await t.notThrowsAsync(machine.run(call(), ['true'], { guard: 'vol-1' }));
  },
);

onSsh('ssh › a command that changes nothing is UNAVAILABLE when its connection is lost, and soon a next call connects again', async (t) => {
  const sshd = await ownSshd(t);
  const { machine, call, path } = await sshFixture(t, {}, sshd);
  const running = machine.run(call(), [...writesItsPid, path('pid')]);
  const pid = await pidIn(path('pid'));
  for (const connection of sshd.connections()) process.kill(connection, 'SIGKILL');
  await t.throwsAsync(running, { code: 'UNAVAILABLE', message: /lost/ });
  // Until the last of the connection is dead it may take a session, and cut it off.
  const again = await eventually(() =>
    machine.run(call(), ['echo', 'again']).catch((error: VbsError) => {
      if (error.code !== 'UNAVAILABLE') throw error;
      return undefined;
    }),
  );
  t.is(again.stdout, 'again\n');
  await eventually(() => (runs(pid) ? undefined : true));
});

onSsh('ssh › what was cut off is ended before anything else is looked at, also when the machine comes back later', async (t) => {
  const sshd = await ownSshd(t);
  const { machine, call, path } = await sshFixture(t, {}, sshd);
  const running = machine.run(call(), [...writesItsPid, path('pid')], { guard: 'vol-1' });
  const pid = await pidIn(path('pid'));
  endGroupAfter(t, pid);
  await sshd.kill();
  await t.throwsAsync(running, { code: 'DEADLINE_EXCEEDED', message: /may run still/ });
  t.true(runs(pid));
  await t.throwsAsync(machine.readFile(call(), '/proc/self/stat'), { code: 'UNAVAILABLE', message: /Start sshd/ });
  await sshd.start();
  await machine.readFile(call(), '/proc/self/stat');
  t.false(runs(pid));
});

onSsh('ssh › a connection that hangs is given up, and a new one is made', async (t) => {
  const sshd = await ownSshd(t);
  const { machine, call, path } = await sshFixture(t, { liveness: { intervalSeconds: 1, times: 2 } }, sshd);
  const running = machine.run(call(), [...writesItsPid, path('pid')], { guard: 'vol-1' });
  const pid = await pidIn(path('pid'));
  for (const connection of sshd.connections()) process.kill(connection, 'SIGSTOP');
  await t.throwsAsync(running, { code: 'DEADLINE_EXCEEDED', message: /lost/ });
  t.false(runs(pid));
  t.is((await machine.run(call(), ['echo', 'again'])).stdout, 'again\n');
});

onSsh('ssh › a long-running command is found again by its name after a broken connection', async (t) => {
  const sshd = await ownSshd(t);
  const { machine, call } = await sshFixture(t, {}, sshd);
  const daemon = ['/bin/sh', '-c', 'echo listening; exec sleep 60'] as const;
  const started = await machine.start(call(), 'nbd/exp-1', daemon, { guard: 'exp-1', readyLine: /listening/ });
  endGroupAfter(t, started.pid);
  await sshd.kill();
  await sshd.start();
  t.deepEqual(await machine.find(call(), 'nbd/'), [started]);
  await machine.stop(call(), 'nbd/exp-1', { guard: 'exp-1' });
  t.false(runs(started.pid));
});

onSsh('ssh › 200 commands at once run to their ends on one connection, and leave no process', async (t) => {
  const fixture = await sshFixture(t, {}, await ownSshd(t));
  const { machine, call, sshd } = fixture;
  const numbers = Array.from({ length: 200 }, (_, index) => String(index));
  const long = { timeLimitMs: 300_000 };
  const results = await Promise.all(
    numbers.map((number) =>
      machine.run(call(), ['echo', number], { ...long, ...(Number(number) % 4 === 0 ? { guard: `vol-${number}` } : {}) }),
    ),
  );
  t.deepEqual(
    results.map(({ stdout }) => stdout.trim()),
    numbers,
  );
  t.is(sshd.connections().length, 1);
  await machine.close();
  await eventually(() => (clientsOf(fixture).length === 0 && sshd.connections().length === 0 ? true : undefined));
  t.deepEqual(await readdir(join(fixture.here, 'ssh')), []);
});

onSsh('ssh › the kept connection ends with a process that was killed, and its socket is cleared by the next', async (t) => {
  const fixture = await sshFixture(t, {}, await ownSshd(t));
  const { machine, call, path, here } = fixture;
  const body = `await machine.run(call(1), ['touch', ${JSON.stringify(path('ran'))}]); await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  const holder = spawnHolder(t, fixture, body);
  await eventually(() => stat(path('ran')).catch(() => undefined));
  t.is(clientsOf(fixture).length, 2, 'the connection and a session');
  await holder.kill();
  await eventually(() => (clientsOf(fixture).length === 0 ? true : undefined));
  await writeFile(join(here, 'ssh', `${holder.pid}-0123abcd`), '');
  await machine.bootId(call());
  t.true((await readdir(join(here, 'ssh'))).every((name) => name.startsWith(`${process.pid}-`)));
});

onSsh('ssh › an unused connection is closed, and keeps no process from ending', async (t) => {
  const fixture = await sshFixture(t, { idleMs: 50 }, await ownSshd(t));
  const { machine, call, path } = fixture;
  await machine.bootId(call());
  await eventually(() => (clientsOf(fixture).length === 0 ? true : undefined));
  t.is(await spawnHolder(t, fixture, `await machine.run(call(1), ['touch', ${JSON.stringify(path('ran'))}]);`).ended, 0);
  await t.notThrowsAsync(machine.bootId(call()));
});

type Harm = (fixture: SshFixture) => Promise<void>;

async function refused(t: ExecutionContext, harm: Harm, code: string, message: RegExp): Promise<void> {
  const fixture = await sshFixture(t, {}, await ownSshd(t));
  const { machine, call, path } = fixture;
  await harm(fixture);
  const error = await t.throwsAsync<VbsError>(machine.run(call(), ['touch', path('made')], { guard: 'vol-1' }), { code, message });
  t.regex(inspect(error?.context), /vs1/);
  await t.throwsAsync(stat(path('made')), { code: 'ENOENT' });
  t.deepEqual(clientsOf(fixture), []);
}

async function configured({ sshd }: SshFixture, pattern: RegExp, line: string): Promise<void> {
  await writeFile(sshd.configFile, (await readFile(sshd.configFile, 'utf8')).replace(pattern, line));
}

const strangersKey = 'AAAAC3NzaC1lZDI1NTE5AAAAIIGMRbXyDEMuU8zFtdxTmgWRDuL1tTVzlGIyLvWpyLjd';
const cases: readonly (readonly [what: string, harm: Harm, code: string, message: RegExp])[] = [
  ['a machine where nothing listens is UNAVAILABLE', ({ sshd }) => sshd.kill(), 'UNAVAILABLE', /nothing listens.*Start sshd/],
  [
    'a host name without an address is UNAVAILABLE',
    (fixture) => configured(fixture, /HostName .*/, 'HostName vbs-no-such-host.invalid'),
    'UNAVAILABLE',
    /address is not known/,
  ],
  [
    'a host key that is not known is refused',
    ({ sshd }) => writeFile(sshd.knownHosts, ''),
    'FAILED_PRECONDITION',
    /not known. Connect once by hand/,
  ],
  [
    'a host key that has changed is refused',
    ({ sshd }) => writeFile(sshd.knownHosts, `[127.0.0.1]:${sshd.port} ssh-ed25519 ${strangersKey}\n`),
    'FAILED_PRECONDITION',
    /not the one in known_hosts/,
  ],
  [
    'a key that is not let in is PERMISSION_DENIED',
    ({ sshd }) => writeFile(join(sshd.directory, 'user.pub'), ''),
    'PERMISSION_DENIED',
    /public key/,
  ],
  [
    'a configuration of ssh that is not legal is told',
    (fixture) => configured(fixture, /IdentitiesOnly/, 'NoSuchKeyword'),
    'FAILED_PRECONDITION',
    /not legal/,
  ],
];
for (const [what, harm, code, message] of cases) onSsh(`ssh › ${what}`, (t) => refused(t, harm, code, message));

onSsh('ssh › a server that takes few sessions is waited for, and then told to take more', async (t) => {
  const { machine, call } = await sshFixture(t, {}, await ownSshd(t, ['MaxSessions 1']));
  await t.throwsAsync(machine.run(call(), ['true']), { code: 'UNAVAILABLE', message: /MaxSessions/ });
});

onSsh('ssh › a machine whose shell knows no /proc is refused in one sentence', async (t) => {
  const { machine, call } = await sshFixture(
    t,
    {},
    await ownSshd(t, ['ForceCommand eval "$(echo "$SSH_ORIGINAL_COMMAND" | sed s#/proc/#/no/such/#)"']),
  );
  await t.throwsAsync(machine.bootId(call()), { code: 'FAILED_PRECONDITION', message: /Linux machines alone/ });
});

onSsh('ssh › says that ssh is not installed here', async (t) => {
  const fixture = await sshFixture(t);
  const body = `
    process.env.PATH = '/nowhere';
    const code = await machine.bootId(call(1)).then(() => '', (error) => error.code + error.context.tool);
    process.exitCode = code === 'FAILED_PRECONDITIONssh' ? 0 : 1;`;
  t.is(await spawnHolder(t, fixture, body).ended, 0);
});

onSsh('ssh › a call that is cancelled while the machine does not answer ends at once, with nothing begun', async (t) => {
  const fixture = await sshFixture(t, {}, await ownSshd(t));
  const { machine, call, path, sshd } = fixture;
  process.kill(sshd.pid(), 'SIGSTOP');
  const controller = new AbortController();
  const running = machine.run(call({ signal: controller.signal }), ['touch', path('made')], { guard: 'vol-1' });
  await eventually(() => (clientsOf(fixture).length === 1 ? true : undefined));
  controller.abort();
  await t.throwsAsync(running, { code: 'ABORTED' });
  t.is(clientsOf(fixture).length, 1, 'it was connecting still');
  await sshd.kill();
});
