import { scriptedMachine } from '@vbs/conformance';
import { type Call, Secret, VbsError } from '@vbs/core';
import test from 'ava';

const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const call = (signal = AbortSignal.timeout(5_000)): Call => ({ signal, operationId: 'op-1', epoch: 1, log, progress: () => undefined });

test('scriptedMachine › answers the steps of its script in order, and verifies', async (t) => {
  const machine = scriptedMachine([
    { command: ['lvs', '--noheadings', 'vg0'], answer: '  vol-1\n  vol-2\n' },
    { command: ['lvremove', 'vg0/vol-1'], guard: 'vol-1', answer: { exitCode: 5, stderr: 'not found' } },
    { readFile: '/proc/net/iet/volume', answer: 'tid:1' },
    { listDirectory: '/dev/vg0', answer: ['vol-2'] },
    { waitForPath: '/dev/vg0/vol-2', until: 'present' },
    { start: 'vblade-1', command: ['vblade', '1', '1', 'eth0', '/f'], guard: 'exp-1', pid: 42 },
    { find: 'vblade-', answer: [{ name: 'vblade-1', pid: 42 }] },
    { stop: 'vblade-1', guard: 'exp-1' },
    { writeFile: '/etc/x', text: 'y', guard: 'exp-1' },
  ]);
  const lines: string[] = [];
  t.is((await machine.run(call(), ['lvs', '--noheadings', 'vg0'], { onLine: (line) => lines.push(line) })).exitCode, 0);
  t.deepEqual(lines, ['  vol-1', '  vol-2']);
  t.is((await machine.run(call(), ['lvremove', 'vg0/vol-1'], { guard: 'vol-1', okExitCodes: [0, 5] })).stderr, 'not found');
  t.is(await machine.readFile(call(), '/proc/net/iet/volume'), 'tid:1');
  t.deepEqual(await machine.listDirectory(call(), '/dev/vg0'), ['vol-2']);
  await machine.waitForPath(call(), '/dev/vg0/vol-2', 'present');
  const started = machine.start(call(), 'vblade-1', ['vblade', '1', '1', 'eth0', '/f'], { guard: 'exp-1', readyLine: /ready/ });
  t.deepEqual(await started, { name: 'vblade-1', pid: 42 });
  t.deepEqual(await machine.find(call(), 'vblade-'), [{ name: 'vblade-1', pid: 42 }]);
  await machine.stop(call(), 'vblade-1', { guard: 'exp-1' });
  await machine.writeFile(call(), '/etc/x', 'y', { guard: 'exp-1' });
  t.notThrows(() => machine.verify());
});

test('scriptedMachine › refuses another command, and says so again in verify when the plugin swallowed it', async (t) => {
  const machine = scriptedMachine([{ command: ['lvs'] }]);
  await t.throwsAsync(machine.run(call(), ['vgs']), { message: /\["vgs"\].*was asked for.*\["lvs"\]/ });
  t.throws(() => machine.verify(), { message: /\["vgs"\]/ });
});

test('scriptedMachine › refuses a command after the end of the script', async (t) => {
  const machine = scriptedMachine([]);
  await t.throwsAsync(machine.run(call(), ['vgs']), { message: /script has ended/ });
});

test('scriptedMachine › refuses a changing command without its guard, and a reading one with a guard', async (t) => {
  await t.throwsAsync(scriptedMachine([{ command: ['lvremove'], guard: 'vol-1' }]).run(call(), ['lvremove']));
  await t.throwsAsync(scriptedMachine([{ command: ['lvs'] }]).run(call(), ['lvs'], { guard: 'vol-1' }));
});

test('scriptedMachine › verify names the steps that were not asked for', (t) => {
  t.throws(() => scriptedMachine([{ command: ['lvs'] }, { readFile: '/x' }]).verify(), { message: /lvs.*\/x/ });
});

test('scriptedMachine › shows no secret, and refuses one that is handed over as a plain text', async (t) => {
  const command = ['ietadm', '--params', new Secret('hunter2')] as const;
  const right = scriptedMachine([{ command }]);
  await right.run(call(), ['ietadm', '--params', new Secret('hunter2')]);
  right.verify();
  const other = await t.throwsAsync(scriptedMachine([{ command }]).run(call(), ['ietadm', '--params', new Secret('hunter3')]));
  t.regex(other.message, /\[redacted\]/);
  t.notRegex(other.message, /hunter/);
  await t.throwsAsync(scriptedMachine([{ command }]).run(call(), ['ietadm', '--params', 'hunter2']));
});

test('scriptedMachine › fails as a machine does: by exit code, by a fault, by no end', async (t) => {
  const failing = scriptedMachine([{ command: ['lvs'], answer: { exitCode: 5, stderr: 'no such VG' } }]);
  const error = await t.throwsAsync(failing.run(call(), ['lvs']), { instanceOf: VbsError });
  t.like(error, { code: 'INTERNAL', context: { exitCode: 5, stderr: 'no such VG' } });
  const missing = scriptedMachine([{ command: ['lvs'], fault: new VbsError('FAILED_PRECONDITION', 'lvs is not installed') }]);
  await t.throwsAsync(missing.run(call(), ['lvs']), { code: 'FAILED_PRECONDITION' });
  const hanging = scriptedMachine([{ command: ['lvs'], fault: 'hangs' }]);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  await t.throwsAsync(hanging.run(call(controller.signal), ['lvs']), { code: 'DEADLINE_EXCEEDED' });
});
