import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Argument, Machine } from '@vbs/core';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { call, iqnOf, makeFixture, node1, node2, storeId } from './iet-fixture.js';

const on = 'on a stand-in';

test(`safety D1 › ${on}, other prefixes and other stores are never listed, removed or taken over`, async (t) => {
  const { exporter, request, world, open } = await makeFixture(t);
  const other = await open({ storeId: 'f'.repeat(32), name: 'vs1/other' });
  const wanted = await request();
  const theirs = await request({ address: other.traits.addresses?.first ?? 0 });
  await exporter.createExport(call(), wanted);
  await other.contract.createExport(call(), theirs);
  await exporter.deleteExport(call(), theirs);
  await t.throwsAsync(exporter.revokeAccess(call(), theirs), { code: 'NOT_FOUND' });
  t.deepEqual(
    (await other.contract.listExports(call())).map(({ exportId }) => exportId),
    [theirs.exportId],
  );
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId }) => exportId),
    [wanted.exportId],
  );
  t.true(iqnOf(wanted.exportId).includes(`:${storeId.slice(0, 8)}:`));
  t.is(world.targets.length, 2);
});

test(`safety E2 › ${on}, the disk shows 16 digits of the volume's id, the connection tells them, and a re-creation shows the same`, async (t) => {
  const { exporter, request, world, login } = await makeFixture(t);
  const wanted = await request();
  const { serial } = await exporter.createExport(call(), wanted).then((one) => one as { serial: string });
  t.is(serial, wanted.serial.slice(-16));
  for (let round = 0; round < 2; round++) {
    const { lun } = login(wanted);
    t.is(lun.serial, serial);
    t.is(lun.scsiId, serial);
    t.like((await exporter.listExports(call()))[0], { connection: { serial } });
    world.restart();
    await exporter.ensureExports(call(), { exports: [wanted] });
  }
});

test(`safety E4 › ${on}, account and access list come before the LUN, and the access list goes first`, async (t) => {
  const { request, open, machine, login } = await makeFixture(t);
  const acts: string[] = [];
  const run: Machine['run'] = (given, command, options) => {
    const words = command.map(String);
    if (words[0] === 'ietadm') acts.push(words.filter((word) => !/^--(tid|params)|^[A-Z]|^ietadm$|redacted/.test(word)).join(' '));
    return machine.run(given, command, options);
  };
  const writeFileSeen: Machine['writeFile'] = (given, path, text, options) => {
    acts.push(/vbs-[a-z]+/.exec(String(text))?.[0] ?? 'no line');
    return machine.writeFile(given, path, text, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { run, writeFile: writeFileSeen }) });
  const actsOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    acts.length = 0;
    await act();
    return [...acts];
  };
  const wanted = await request();
  const made = ['--op new', '--op show --user', '--op new --user', 'vbs-open', '--op new --lun=0'];
  t.deepEqual(await actsOf(() => contract.createExport(call(), wanted)), made);
  t.deepEqual(await actsOf(() => contract.createExport(call(), wanted)), []);
  t.deepEqual(await actsOf(() => contract.listExports(call())), []);
  t.deepEqual(await actsOf(() => contract.ensureExports(call(), { exports: [wanted] })), []);
  const disk = login(wanted);
  const error = await t.throwsAsync(contract.deleteExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.like(error, { context: { sessions: [{ initiator: node1 }] } });
  t.true(disk.isConnected);
  await disk.disconnect();
  t.deepEqual(await actsOf(() => contract.deleteExport(call(), wanted)), [
    'vbs-closing',
    '--op delete --lun=0',
    '--op delete --user',
    '--op delete',
    'no line',
  ]);
  await contract.createExport(call(), wanted);
  login(wanted);
  const revoked = await actsOf(() => contract.revokeAccess(call(), wanted));
  t.deepEqual(
    revoked.map((one) => one.replace(/sid=\d+/, 'sid=N')),
    ['vbs-revoked', '--op show --user', '--op new --user', '--op delete --user', '--op delete --lun=0', '--op delete --sid=N --cid=0'],
  );
});

test(`safety F3 › ${on}, what revokeAccess shut stays shut after ietd restarts, until it is deleted`, async (t) => {
  const { exporter, request, world, login } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  await exporter.revokeAccess(call(), wanted);
  world.restart();
  await t.throwsAsync(exporter.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION', message: /revoked/ });
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /revoked/ });
  t.throws(() => login(wanted));
  t.deepEqual(world.targets, []);
  await exporter.deleteExport(call(), wanted);
  t.is(world.allowFile, '');
});

test(`safety F3 › ${on}, what revokeAccess shut asks for a secret that nobody has, also when the access list is lost`, async (t) => {
  const { exporter, request, world, login } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  await exporter.revokeAccess(call(), wanted);
  await rm(join(world.root, 'etc/iet/initiators.allow'));
  t.throws(() => login(wanted), { message: /authentication/ });
  t.throws(() => login(wanted, { password: null }), { message: /authentication/ });
});

test(`safety F3 › ${on}, an ensureExports that looked before access was revoked does not open it again`, async (t) => {
  const { request, world, open, machine, exporter, login } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  world.restart();
  let revoke = false;
  const run: Machine['run'] = async (given, command, options) => {
    if (revoke && command[0] === 'stat') world.allowFile = world.allowFile.replace(/ .*\[vbs-open/, ' [vbs-revoked');
    return await machine.run(given, command, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { run }) });
  revoke = true;
  await t.throwsAsync(contract.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION', message: /revoked/ });
  t.regex(world.allowFile, /\[vbs-revoked/);
  t.throws(() => login(wanted));
});

test(`safety F3 › ${on}, who was in the middle of a login when access was revoked reaches no byte`, async (t) => {
  const { exporter, request, world } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  const chap = { user: wanted.exportId, password: wanted.chap?.password.reveal() ?? '' };
  const late = world.beginLogin({ iqn: iqnOf(wanted.exportId), initiator: node1, chap });
  await exporter.revokeAccess(call(), wanted);
  const disk = late.finish();
  await t.throwsAsync(disk.write(0, Buffer.alloc(512)), { message: /not supported/ });
  await t.throwsAsync(exporter.deleteExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  await exporter.revokeAccess(call(), wanted);
  await exporter.deleteExport(call(), wanted);
  t.deepEqual(world.targets, []);
});

test(`deleteExport › ${on}, the line that a broken-off removal left goes with the next change, and no other does`, async (t) => {
  const { request, world, open, machine, exporter } = await makeFixture(t);
  const [left, stays, next] = [await request(), await request(), await request()];
  for (const one of [left, stays]) await exporter.createExport(call(), one);
  const stopped: Machine['writeFile'] = async (given, path, text, options) => {
    if (!String(text).includes(left.exportId)) throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
    await machine.writeFile(given, path, text, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { writeFile: stopped }) });
  await t.throwsAsync(contract.deleteExport(call(), left), { code: 'DEADLINE_EXCEEDED' });
  t.true(world.allowFile.includes(left.exportId));
  await exporter.createExport(call(), next);
  t.false(world.allowFile.includes(left.exportId));
  for (const one of [stays, next]) t.true(world.allowFile.includes(one.exportId));
});

test(`deleteExport › ${on}, who logs in after the look keeps his export`, async (t) => {
  const { request, world, open, machine, login } = await makeFixture(t);
  const wanted = await request();
  let late: (() => void) | undefined;
  const writeFileLate: Machine['writeFile'] = async (...given) => {
    late?.();
    late = undefined;
    await machine.writeFile(...given);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { writeFile: writeFileLate }) });
  await contract.createExport(call(), wanted);
  late = () => void login(wanted);
  const before = world.allowFile;
  await t.throwsAsync(contract.deleteExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /are connected/ });
  t.is(world.allowFile, before);
  const disk = login(wanted);
  await disk.write(0, Buffer.alloc(4096, 7));
  t.deepEqual(await disk.read(0, 4096), Buffer.alloc(4096, 7));
});

test(`deleteExport › ${on}, who ends his login when the LUN is gone makes the outcome unknown, and gets no byte`, async (t) => {
  const { request, world, open, machine, exporter } = await makeFixture(t);
  for (const busyAnswer of ['EBUSY', 'EPERM'] as const) {
    world.busyAnswer = busyAnswer;
    const wanted = await request();
    const chap = { user: wanted.exportId, password: wanted.chap?.password.reveal() ?? '' };
    await exporter.createExport(call(), wanted);
    const late = world.beginLogin({ iqn: iqnOf(wanted.exportId), initiator: node1, chap });
    const run: Machine['run'] = async (given, command, options) => {
      const answer = await machine.run(given, command, options);
      if (command.includes('--lun=0')) late.finish();
      return answer;
    };
    const { contract } = await open({ machine: () => interceptedMachine(machine, { run }) });
    await t.throwsAsync(contract.deleteExport(call(), wanted), { code: 'UNAVAILABLE', message: /came in/ });
    t.is((await exporter.listExports(call())).length, 1, 'what is not gone is listed');
    await exporter.revokeAccess(call(), wanted);
    await exporter.deleteExport(call(), wanted);
    t.deepEqual([world.targets, world.users, world.allowFile], [[], [], '']);
  }
});

test(`createExport › ${on}, an ietd that restarts in the middle leaves nothing open, and a repeat makes all`, async (t) => {
  const { request, world, open, machine, exporter, login } = await makeFixture(t);
  world.allowFile = '# vbs\nALL ALL\n';
  const wanted = await request();
  const run: Machine['run'] = async (given, command, options) => {
    if (command.includes('--lun=0')) world.restart();
    return await machine.run(given, command, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { run }) });
  await t.throwsAsync(contract.createExport(call(), wanted), { code: 'UNAVAILABLE', message: /lost the export/ });
  await exporter.createExport(call(), wanted);
  t.is(world.users.length, 1);
  t.throws(() => login(wanted, { password: null }));
  login(wanted);
});

test(`every call › ${on}, without ietd, or without its kernel module, is UNAVAILABLE: nothing is said to be absent`, async (t) => {
  const { exporter, opened, request, world } = await makeFixture(t);
  const wanted = await request();
  for (const away of [() => world.stop(), () => world.unload()]) {
    world.start();
    await exporter.createExport(call(), wanted);
    away();
    await t.throwsAsync(exporter.listExports(call()), { code: 'UNAVAILABLE' });
    await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'UNAVAILABLE' });
    await t.throwsAsync(exporter.deleteExport(call(), wanted), { code: 'UNAVAILABLE' });
    await t.throwsAsync(exporter.revokeAccess(call(), wanted), { code: 'UNAVAILABLE' });
    await t.throwsAsync(exporter.ensureExports(call(), { exports: [wanted] }), { code: 'UNAVAILABLE' });
    t.is((await opened.check(call())).length, 1);
  }
});

test(`createExport › ${on}, a read-only export is IOMode=ro, and another is written through unless it is configured otherwise`, async (t) => {
  const { exporter, request, open, world, login } = await makeFixture(t);
  const back = await open({ config: { writeCache: 'on' }, name: 'vs1/back' });
  const first = back.traits.addresses?.first ?? 0;
  const [through, readOnly, cached] = [
    await request(),
    await request({ access: 'read-only', kind: 'file' }),
    await request({ address: first }),
  ];
  await exporter.createExport(call(), through);
  await exporter.createExport(call(), readOnly);
  await back.contract.createExport(call(), cached);
  t.deepEqual(
    world.targets.map(({ luns }) => [luns.get(0)?.mode, luns.get(0)?.type]),
    [
      ['wb', 'blockio'],
      ['ro', 'fileio'],
      ['wt', 'blockio'],
    ],
  );
  await t.throwsAsync(login(readOnly).write(0, Buffer.alloc(512)), { message: /write protected/ });
  t.deepEqual((await exporter.listExports(call())).map(({ access }) => access).sort(), ['read-only', 'read-write', 'read-write']);
});

test(`createExport › ${on}, without chap and acl everybody is let in, and the access list still shuts a revoked one`, async (t) => {
  const { opened, exporter, request, world } = await makeFixture(t, { chap: false, acl: false });
  t.deepEqual([...opened.capabilities].sort(), ['fence', 'read-only']);
  const { chap: _chap, initiators: _initiators, ...wanted } = await request();
  await exporter.createExport(call(), wanted);
  t.deepEqual(world.users, []);
  world.login({ iqn: iqnOf(wanted.exportId), initiator: node2 });
  await exporter.revokeAccess(call(), wanted);
  t.throws(() => world.login({ iqn: iqnOf(wanted.exportId), initiator: node2 }));
  await exporter.deleteExport(call(), wanted);
  t.deepEqual([world.targets, world.users, world.allowFile], [[], [], '']);
});

test(`createExport › ${on}, shows the CHAP secret to ietadm alone, also when it fails`, async (t) => {
  const { request, open, machine } = await makeFixture(t);
  const wanted = await request();
  const told: Argument[] = [];
  const { contract } = await open({
    machine: () =>
      interceptedMachine(machine, {
        run: async (given, command, options) => {
          told.push(...command);
          if (!command.some((word) => typeof word !== 'string')) return machine.run(given, command, options);
          throw new VbsError('INTERNAL', 'x', {
            context: { command: command.map(String), exitCode: 255, stderr: 'Operation not permitted.\n' },
          });
        },
      }),
  });
  const error = await t.throwsAsync(contract.createExport(call(), wanted));
  const password = wanted.chap?.password.reveal() ?? '';
  const shown = told.map(String).join(' ');
  t.true(shown.includes('[redacted]'));
  t.false(`${shown} ${JSON.stringify(error)} ${String(error?.stack)}`.includes(password));
  t.is(told.filter((word) => typeof word !== 'string' && word.reveal().includes(password)).length, 1);
});

test(`createExport › ${on}, 100 at once are 100 targets, each with its own volume, account and line`, async (t) => {
  t.timeout(120_000);
  const { exporter, request, world, login } = await makeFixture(t);
  const wanted = await Promise.all(Array.from({ length: 100 }, () => request()));
  await Promise.all(wanted.map((one) => exporter.createExport(call(), one)));
  for (const [index, one] of wanted.entries()) {
    const disk = login(one);
    await disk.write(0, Buffer.alloc(512, index + 1));
    await disk.disconnect();
  }
  for (const [index, one] of wanted.entries()) {
    const bytes = await readFile(join(world.root, one.volume.locator.path));
    t.is(bytes[0], index + 1);
  }
  await Promise.all(wanted.map((one) => exporter.deleteExport(call(), one)));
  t.deepEqual([world.targets, world.users, world.allowFile], [[], [], '']);
});
