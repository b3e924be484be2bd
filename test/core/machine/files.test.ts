import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Secret } from '@vbs/core';
import test from 'ava';
import { machineFixture, onEachMachine } from './fixture.js';

onEachMachine('readFile › reads files and those of /proc, up to a limit', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  await writeFile(path('file'), 'x'.repeat(200_000));
  t.is((await machine.readFile(call(), path('file'))).length, 200_000);
  t.is((await machine.readFile(call(), path('file'), { maxBytes: 200_000 })).length, 200_000);
  await t.throwsAsync(machine.readFile(call(), path('file'), { maxBytes: 199_999 }), { code: 'OUT_OF_RANGE' });
  t.regex(await machine.readFile(call(), '/proc/self/status'), /^Name:/);
});

onEachMachine(
  'readFile › refuses what is absent, a folder, a device and a pipe, and paths that are not absolute',
  async (t, machineFixture) => {
    const { machine, call, path } = await machineFixture(t);
    await machine.run(call(), ['mkfifo', path('pipe')]);
    await t.throwsAsync(machine.readFile(call(), path('absent')), { code: 'NOT_FOUND' });
    await t.throwsAsync(machine.readFile(call(), path('.')), { code: 'FAILED_PRECONDITION' });
    await t.throwsAsync(machine.readFile(call(), '/dev/zero'), { code: 'FAILED_PRECONDITION' });
    await t.throwsAsync(machine.readFile(call(), path('pipe')), { code: 'FAILED_PRECONDITION' });
    await t.throwsAsync(machine.readFile(call(), 'relative'), { code: 'INVALID_ARGUMENT' });
    await t.throwsAsync(machine.readFile(call(), '/a\0b'), { code: 'INVALID_ARGUMENT' });
  },
);

onEachMachine('writeFile › writes whole, with its mode, a secret too, and leaves no temporary', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  await mkdir(path('folder'));
  const file = join(path('folder'), 'file');
  await machine.writeFile(call(), file, 'one', { guard: 'a' });
  t.is((await stat(file)).mode & 0o777, 0o600);
  await machine.writeFile(call(), file, new Secret('two'), { guard: 'a', mode: 0o666 });
  t.is(await readFile(file, 'utf8'), 'two');
  t.is((await stat(file)).mode & 0o777, 0o666);
  await t.throwsAsync(machine.writeFile(call(), path('absent/file'), 'x', { guard: 'a' }), { code: 'NOT_FOUND' });
  await t.throwsAsync(machine.writeFile(call(), path('folder'), 'x', { guard: 'a' }));
  t.deepEqual(await readdir(path('folder')), ['file']);
  t.deepEqual((await readdir(path('.'))).filter((name) => name !== 'here').sort(), ['folder', 'state']);
});

onEachMachine('listDirectory › answers sorted names, NOT_FOUND for the absent', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  await mkdir(path('folder'));
  for (const name of ['b', 'a', 'C', '.d', 'e f']) await writeFile(join(path('folder'), name), '');
  t.deepEqual(await machine.listDirectory(call(), path('folder')), ['.d', 'C', 'a', 'b', 'e f']);
  await t.throwsAsync(machine.listDirectory(call(), path('none')), { code: 'NOT_FOUND' });
  await t.throwsAsync(machine.listDirectory(call(), path('folder/a')), { code: 'NOT_FOUND' });
});

onEachMachine('waitForPath › ends when a path appears in folders that were not there, and when it goes', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const deep = path('a/b/c');
  const appears = machine.waitForPath(call(), deep, 'present', { timeLimitMs: 5_000 });
  await pause(50);
  await mkdir(path('a/b'), { recursive: true });
  await writeFile(deep, '');
  await t.notThrowsAsync(appears);
  await machine.waitForPath(call(), deep, 'present');
  const goes = machine.waitForPath(call(), deep, 'absent', { timeLimitMs: 5_000 });
  await pause(50);
  await rm(path('a'), { recursive: true });
  await t.notThrowsAsync(goes);
});

onEachMachine('waitForPath › a link to nothing is neither present nor absent', async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  await symlink(path('nothing'), path('link'));
  const soon = { timeLimitMs: 60 };
  await t.throwsAsync(machine.waitForPath(call(), path('link'), 'present', soon), { code: 'DEADLINE_EXCEEDED', message: /within 60 ms/ });
  await t.throwsAsync(machine.waitForPath(call(), path('link'), 'absent', soon), { code: 'DEADLINE_EXCEEDED' });
});

onEachMachine("waitForPath › ends at the call's signal", async (t, machineFixture) => {
  const { machine, call, path } = await machineFixture(t);
  const signal = AbortSignal.timeout(50);
  const began = Date.now();
  await t.throwsAsync(machine.waitForPath(call({ signal }), path('x'), 'present'), { code: 'DEADLINE_EXCEEDED', message: /cancelled/ });
  t.true(Date.now() - began < 5_000);
});

onEachMachine('bootId › is the same each time', async (t, machineFixture) => {
  const { machine, call } = await machineFixture(t);
  t.is(await machine.bootId(call()), await machine.bootId(call()));
  t.regex(await machine.bootId(call()), /^[0-9a-f-]{36}$/);
});

test('LocalMachine › says what to do when its state directory cannot be made', async (t) => {
  const { machine, call, stateDirectory } = await machineFixture(t);
  await writeFile(stateDirectory, 'a file in its place');
  await t.throwsAsync(machine.run(call(), ['true'], { guard: 'a' }), { message: new RegExp(`Cannot make ${stateDirectory}`) });
  await chmod(stateDirectory, 0o600);
});
