import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { isKnownDead, ownIdentity, processIdentity } from '@vbs/core/internal/machine/process-identity.js';
import test from 'ava';

test('ownIdentity › is of this process, and the same each time', async (t) => {
  const own = await ownIdentity();
  t.deepEqual(own, await ownIdentity());
  t.is(own.pid, process.pid);
  t.is(own.hostname, hostname());
  t.true(own.startTime > 0);
  t.false(await isKnownDead(own));
});

test('isKnownDead › a process whose name holds spaces and parentheses', async (t) => {
  const child = spawn('/bin/sh', ['-c', 'printf "a) R 1 (b" > /proc/$$/comm; echo named; exec sleep 20'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const identity = await processIdentity(child.pid as number);
  t.true((identity?.startTime ?? 0) >= (await ownIdentity()).startTime);
});

test('isKnownDead › true when the process has ended, though its pid may wait for its parent', async (t) => {
  const child = spawn('sleep', ['20']);
  const identity = await processIdentity(child.pid as number);
  if (identity === undefined) return t.fail('the process runs');
  t.false(await isKnownDead(identity));
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.true(await isKnownDead(identity));
});

test('isKnownDead › a zombie is dead', async (t) => {
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 20'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => parent.kill('SIGKILL'));
  const [text] = await once(parent.stdout, 'data');
  const identity = { ...(await ownIdentity()), pid: Number(String(text)) };
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.is(await processIdentity(identity.pid), undefined);
  t.notThrows(() => process.kill(identity.pid, 0), 'its pid is still taken');
  t.true(await isKnownDead(identity));
});

const cases = test.macro<[change: object, dead: boolean]>({
  title: (_, change, dead) => `isKnownDead › ${JSON.stringify(change)} is ${dead ? 'dead' : 'not known to be dead'}`,
  exec: async (t, change, dead) => {
    t.is(await isKnownDead({ ...(await ownIdentity()), ...change }), dead);
  },
});
test(cases, { startTime: 1 }, true);
test(cases, { bootId: 'before' }, true);
test(cases, { pid: 2 ** 22 + 1 }, true);
test(cases, { hostname: 'another' }, false);
test(cases, { hostname: 'another', bootId: 'another' }, false);
test(cases, { hostname: 'another', pid: 2 ** 22 + 1 }, false);
