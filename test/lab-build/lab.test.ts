import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { GuestKind } from '@vbs/lab';
import { guestKinds } from '@vbs/lab/internal/kinds.js';
import { parseAnswer } from '@vbs/lab/internal/lab/domu.js';
import { defaultGuests, namedGuests, numberOf, parseGuests, requireNames } from '@vbs/lab/internal/lab/guest-names.js';
import { takeLock, withLock } from '@vbs/lab/internal/lock.js';
import { labFolder } from '@vbs/lab/internal/paths.js';
import { type GuestMachine, qemuArguments } from '@vbs/lab/internal/qemu/arguments.js';
import { markOf } from '@vbs/lab/internal/qemu/process.js';
import { waitForBoot } from '@vbs/lab/internal/qemu/wait-for-boot.js';
import test, { type ExecutionContext } from 'ava';

async function temporary(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vbs-lab-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const machine: GuestMachine = {
  name: 'vs1',
  kind: 'storage',
  image: '/cache/a,b c',
  sshPort: 2222,
  segment: { group: '230.1.2.3', port: 23_456 },
};

const kinds = test.macro({
  exec(t, kind: GuestKind) {
    const booted = qemuArguments({ ...machine, kind }, false);
    t.false(
      booted.some((word) => word.includes('/cache/')),
      'commas and spaces of a path would end it',
    );
    t.true(booted.some((word) => word.endsWith('readonly=on,file=image/root.ext4')));
    t.deepEqual(qemuArguments({ ...machine, kind }, true), [...booted, '-incoming', 'fd:3']);
  },
  title: (_, kind) => `qemuArguments › a ${kind} guest has its image by a link, and is restored on the machine that it was booted on`,
});
for (const kind of guestKinds) test(kinds, kind);

test('qemuArguments › Xen is the kernel, and Dom0 with its initrd are modules', (t) => {
  const words = qemuArguments({ ...machine, kind: 'xen' }, false);
  t.is(words[words.indexOf('-kernel') + 1], 'image/xen');
  t.is(words[words.indexOf('-initrd') + 1], 'image/vmlinux console=hvc0 panic=0 quiet mitigations=off,image/initrd.cpio');
});

test('labFolder › follows XDG_CACHE_HOME', (t) => {
  t.is(labFolder({ XDG_CACHE_HOME: '/somewhere' }), '/somewhere/vbs-lab');
  t.true(labFolder({ XDG_CACHE_HOME: '' }).endsWith('/.cache/vbs-lab'));
});

test('guests › are a volume server and VMM nodes, with numbers from 1', (t) => {
  t.deepEqual(defaultGuests(3), ['vs1', 'node1', 'node2']);
  t.is(numberOf(defaultGuests(3), 'node2'), 3);
});

test('guests › are storage guests, but for those whose kind is told', (t) => {
  const named = [
    { name: 'vs1', kind: 'storage' },
    { name: 'dom0', kind: 'xen' },
  ];
  t.deepEqual(parseGuests('vs1,dom0:xen'), named);
  t.deepEqual(namedGuests({ vs1: 'storage', dom0: 'xen' }), named);
  t.deepEqual(namedGuests(['vs1']), [{ name: 'vs1', kind: 'storage' }]);
  t.deepEqual(parseGuests('2'), namedGuests(['vs1', 'node1']));
});

test('parseAnswer › reads what a DomU wrote and complained; an answer without its end is none', (t) => {
  const out = Buffer.from('written\n').toString('base64');
  t.deepEqual(parseAnswer(`x3\no${out.slice(0, 4)}\no${out.slice(4)}\neIQ==\n.\n`), { exitCode: 3, stdout: 'written\n', stderr: '!' });
  t.is(parseAnswer('x0\n'), undefined);
  t.is(parseAnswer(''), undefined);
});

const refused = test.macro({
  exec: (t, _what: string, act: () => unknown) => void t.throws(act, { code: 'INVALID_ARGUMENT' }),
  title: (_, what) => `guests › refuses ${what}`,
});
test(refused, 'a kind that there is not', () => parseGuests('vs1,dom0:vmware'));
test(refused, 'a name twice, under two kinds', () => parseGuests('dom0,dom0:xen'));
test(refused, 'no guest', () => defaultGuests(0));
test(refused, 'more than 32', () => defaultGuests(33));
test(refused, 'a name that is no host name', () => requireNames(['vs1', '../x']));
test(refused, 'a name twice', () => requireNames(['vs1', 'vs1']));

test('withLock › two acts come after each other', async (t) => {
  const path = join(await temporary(t), 'lock');
  const seen: string[] = [];
  const act = (name: string) => async () => {
    seen.push(`${name} begins`);
    await pause(20);
    seen.push(`${name} ends`);
  };
  await Promise.all([withLock(path, 10_000, act('a')), withLock(path, 10_000, act('b'))]);
  t.deepEqual(
    seen.filter((_, place) => place % 2 === 1).map((line) => line.slice(2)),
    ['ends', 'ends'],
  );
});

test('withLock › gives up at its limit, and says who to ask', async (t) => {
  const path = join(await temporary(t), 'lock');
  const held = await takeLock(path);
  t.teardown(() => held?.release());
  await t.throwsAsync(
    withLock(path, 50, async () => undefined),
    { code: 'DEADLINE_EXCEEDED', message: /fuser/ },
  );
});

const booting = async (t: ExecutionContext, text: string) => {
  const folder = await temporary(t);
  await writeFile(join(folder, 'console.log'), text);
  const process_ = markOf(process.pid);
  if (process_ === undefined) throw new Error('no /proc');
  return { name: 'vs1', folder, process: process_, from: 0 };
};

test('waitForBoot › ends when the guest says that it is ready', async (t) => {
  await t.notThrowsAsync(waitForBoot(await booting(t, 'noise\r\nvbs-lab: 4.31 s: ready\r\n')));
});

test('waitForBoot › a failed boot shows the end of the console', async (t) => {
  const panic = await booting(t, 'VFS: cannot open root\r\nKernel panic - not syncing: no init\r\n');
  await t.throwsAsync(waitForBoot(panic), { code: 'UNAVAILABLE', message: /vs1 did not boot: Kernel panic[\s\S]*VFS: cannot open root/ });
  const crashed = await booting(t, '(XEN) Panic on CPU 0:\r\n(XEN) Could not construct domain 0\r\n');
  await t.throwsAsync(waitForBoot(crashed), { message: /did not boot: \(XEN\) Panic on CPU 0[\s\S]*Could not construct/ });
  const failed = await booting(t, 'vbs-lab: 3.1 s: FAILED: udevd does not start\n');
  await t.throwsAsync(waitForBoot(failed), { message: /udevd does not start/ });
});

test('waitForBoot › gives up at its limit with the end of the console', async (t) => {
  await t.throwsAsync(waitForBoot(await booting(t, 'it says this and hangs'), 20), {
    code: 'DEADLINE_EXCEEDED',
    message: /says this and hangs/,
  });
});

test('waitForBoot › what an earlier boot said does not count', async (t) => {
  const old = 'vbs-lab: 4.31 s: ready\n';
  await t.throwsAsync(waitForBoot({ ...(await booting(t, old)), from: old.length }, 20), { code: 'DEADLINE_EXCEEDED' });
});
