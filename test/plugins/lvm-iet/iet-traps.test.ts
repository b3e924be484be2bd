import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '@vbs/core';
import { VbsError } from '@vbs/core';
import { ietConfigSchema } from '@vbs/plugin-lvm-iet/internal/iet/config.js';
import test from 'ava';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { call, iqnOf, makeFixture, node1, node2 } from './iet-fixture.js';

const on = 'on a stand-in';

test(`"--op delete" › ${on}, every command that changes something names its target`, async (t) => {
  const { exporter, request, login, faults, world } = await makeFixture(t);
  for (const kind of ['block', 'file'] as const) {
    const wanted = await request({ kind });
    await exporter.createExport(call(), wanted);
    login(wanted);
    await exporter.revokeAccess(call(), wanted);
    await exporter.deleteExport(call(), wanted);
    const other = await request({ kind });
    await exporter.createExport(call(), other);
    await exporter.deleteExport(call(), other);
  }
  const changing = faults.ran.filter((line) => line.startsWith('ietadm') && !line.includes('--version'));
  t.true(changing.length > 20);
  for (const line of changing) t.regex(line, /--tid=[1-9]\d*( |$)/);
  t.true(world.runs);
});

for (const [name, pattern] of [
  ['deleteTarget', 'ietadm --op delete'],
  ['dropConnection', 'ietadm --op delete --sid=<sid> --cid=<cid>'],
  ['createUser', 'ietadm --op new --user --params=IncomingUser=<user>,Password=<password>'],
] as const) {
  test(`"--op delete" › a pattern of the configuration for ${name} that leaves the target out is CONFIG_INVALID`, async (t) => {
    const { open } = await makeFixture(t);
    await t.throwsAsync(open({ commands: { [name]: { pattern, withdraws: ['fence'] } } }), {
      code: 'CONFIG_INVALID',
      message: /stops every target/,
    });
    await open({ name: 'vs1/wrapped', commands: { deleteTarget: { pattern: 'sudo -n ietadm --op delete --tid <tid>', withdraws: [] } } });
  });
}

test(`createExport › ${on}, refuses an address of 0, without a number and outside its range`, async (t) => {
  const { exporter, request, opened, world } = await makeFixture(t);
  const { address, ...without } = await request();
  const last = opened.traits.addresses?.last ?? 0;
  for (const wanted of [without, { ...without, address: 0 }, { ...without, address: last + 1 }]) {
    await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'INVALID_ARGUMENT', message: /target id/ });
  }
  t.deepEqual(world.targets, []);
  t.is(typeof address, 'number');
});

test(`createExport › ${on}, a path with a comma, which ietadm would cut, is refused`, async (t) => {
  const { exporter, request, world } = await makeFixture(t);
  const wanted = await request();
  const volume = { ...wanted.volume, locator: { kind: 'block' as const, path: '/dev/vg0/a,Type=nullio' } };
  await t.throwsAsync(exporter.createExport(call(), { ...wanted, volume }), { code: 'INVALID_ARGUMENT', message: /comma/ });
  t.deepEqual(world.targets, []);
});

test(`initiators.allow › ${on}, a line for ALL above ours is a fault, and nothing is made`, async (t) => {
  const { exporter, request, world } = await makeFixture(t);
  world.allowFile = '# mine\nALL ALL\n';
  await t.throwsAsync(exporter.createExport(call(), await request()), { code: 'FAILED_PRECONDITION', message: /Line 2 of .*"ALL ALL"/ });
  t.deepEqual(world.targets, []);
  t.is(world.allowFile, '# mine\nALL ALL\n');
});

test(`initiators.allow › ${on}, a line that was put above ours later is a fault of ensureExports and check`, async (t) => {
  const { exporter, opened, request, world, login } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  t.deepEqual(await opened.check(call()), []);
  const before = world.allowFile;
  world.allowFile = `ALL 192.168.122.0/24\n${before}`;
  login(wanted, { initiator: node2 });
  await t.throwsAsync(exporter.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  const [fault, ...more] = await opened.check(call());
  t.deepEqual(more, []);
  t.regex(fault ?? '', /Line 1 of .*decides for iqn/);
  world.allowFile = before;
  await exporter.createExport(call(), wanted);
});

test(`initiators.allow › ${on}, a line that is put above ours while an export is made stops it, and nothing is left`, async (t) => {
  const { request, world, open, machine } = await makeFixture(t);
  const run: Machine['run'] = async (given, command, options) => {
    if (command.includes('--user') && !world.allowFile.startsWith('ALL')) world.allowFile = `ALL ALL\n${world.allowFile}`;
    return await machine.run(given, command, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { run }) });
  await t.throwsAsync(contract.createExport(call(), await request()), { code: 'FAILED_PRECONDITION', message: /Line 1 of/ });
  t.deepEqual([world.targets, world.users, world.allowFile], [[], [], 'ALL ALL\n']);
});

test(`initiators.allow › ${on}, a line for ALL below the lines of VBS opens nothing, at any moment`, async (t) => {
  const { request, world, open, machine, login } = await makeFixture(t);
  world.allowFile = '# vbs\nALL ALL\n';
  const wanted = await request();
  let looks = 0;
  // Before and after each act somebody knocks who is not named, and the one who is named, without the secret.
  const knock = (): void => {
    looks += 1;
    for (const initiator of [node1, node2]) t.throws(() => login(wanted, { initiator, password: null }));
    t.throws(() => login(wanted, { initiator: node2 }));
  };
  const watched = <F extends (...given: never[]) => Promise<unknown>>(act: F): F =>
    (async (...given: Parameters<F>) => {
      knock();
      const answer = await act(...given);
      knock();
      return answer;
    }) as F;
  const run = watched(machine.run.bind(machine) as Machine['run']);
  const writeFileWatched = watched(machine.writeFile.bind(machine) as Machine['writeFile']);
  const { contract } = await open({ machine: () => interceptedMachine(machine, { run, writeFile: writeFileWatched }) });
  for (let round = 0; round < 2; round++) {
    await contract.createExport(call(), wanted);
    world.restart();
    await contract.ensureExports(call(), { exports: [wanted] });
    if (round === 0) await contract.revokeAccess(call(), wanted);
    await contract.deleteExport(call(), wanted);
  }
  t.true(looks > 60);
  t.is(world.allowFile, '# vbs\nALL ALL\n');
});

test(`initiators.allow › ${on}, without the file, and with initiators.deny, ietd lets everybody in: nothing is exported`, async (t) => {
  const { exporter, opened, request, world } = await makeFixture(t);
  const wanted = await request();
  world.writeRoot('/etc/iet/initiators.deny', '');
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /initiators\.deny/ });
  t.regex((await opened.check(call())).join(), /initiators\.deny/);
  await rm(join(world.root, 'etc/iet/initiators.deny'));
  await rm(join(world.root, 'etc/iet/initiators.allow'));
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /lets everybody in/ });
  t.regex((await opened.check(call())).join(), /lets everybody in/);
  t.deepEqual(world.targets, []);
  await t.throwsAsync(
    readFile(join(world.root, 'etc/iet/initiators.allow')),
    { code: 'ENOENT' },
    'a file of ours would shut the targets of others',
  );
});

test(`initiators.allow › ${on}, an operator who writes at the same moment loses nothing`, async (t) => {
  const { request, world, open, machine } = await makeFixture(t);
  let edits = 0;
  const writeFileRaced: Machine['writeFile'] = async (given, path, text, options) => {
    if (edits < 3) world.allowFile += `iqn.2001-01.org.other:${++edits} ALL\n`;
    if (options.ifStill !== undefined && options.ifStill !== world.allowFile) throw new VbsError('ABORTED', 'it holds another text');
    await machine.writeFile(given, path, text, options);
  };
  const { contract } = await open({ machine: () => interceptedMachine(machine, { writeFile: writeFileRaced }) });
  const wanted = await request();
  await contract.createExport(call(), wanted);
  for (const n of [1, 2, 3]) t.true(world.allowFile.includes(`iqn.2001-01.org.other:${n} ALL\n`));
  t.true(world.allowFile.includes(wanted.exportId));
});

test(`initiators.allow › ${on}, two exporters of one machine that edit it at once lose no line of each other`, async (t) => {
  const { exporter, request, world, open } = await makeFixture(t);
  const other = await open({ storeId: 'f'.repeat(32), name: 'vs1/other' });
  const mine = await Promise.all(Array.from({ length: 10 }, () => request()));
  const first = other.traits.addresses?.first ?? 0;
  const theirs = await Promise.all(Array.from({ length: 10 }, (_, index) => request({ address: first + index })));
  await Promise.all([
    ...mine.map((one) => exporter.createExport(call(), one)),
    ...theirs.map((one) => other.contract.createExport(call(), one)),
  ]);
  t.is(world.allowFile.match(/\[vbs-open-/g)?.length, 20);
  for (const one of [...mine, ...theirs]) t.true(world.allowFile.includes(`:${one.exportId} `));
});

test(`initiators.allow › ${on}, a file with bytes that an edit would not keep is left as it is`, async (t) => {
  const { exporter, request, world } = await makeFixture(t);
  const path = join(world.root, 'etc/iet/initiators.allow');
  const bytes = Buffer.from('# f\xfcr alle\n', 'latin1');
  await writeFile(path, bytes);
  await t.throwsAsync(exporter.createExport(call(), await request()), { code: 'FAILED_PRECONDITION', message: /UTF-8/ });
  t.deepEqual(await readFile(path), bytes);
});

test(`initiators.allow › ${on}, a file that never stands still is given up`, async (t) => {
  const { request, open, machine } = await makeFixture(t);
  let tries = 0;
  const { contract } = await open({
    machine: () =>
      interceptedMachine(machine, {
        readFile: async (given, path, options) =>
          path.endsWith('.allow') ? `iqn.x:${++tries} ALL\n` : machine.readFile(given, path, options),
        writeFile: async () => Promise.reject(new VbsError('ABORTED', 'it holds another text')),
      }),
  });
  const error = await t.throwsAsync(contract.createExport(call(), await request()));
  t.is((error as VbsError).code, 'INTERNAL', 'a part was made, and could not be taken back');
  t.true(tries < 500);
});

test(`initiators.allow › ${on}, names are taken literally and as a whole, and nothing but names is taken`, async (t) => {
  const { exporter, request, login } = await makeFixture(t);
  const wanted = await request();
  await exporter.createExport(call(), wanted);
  for (const initiator of ['iqn.2009-11xorg.example:node1', `${node1}0`, `x${node1}`]) {
    t.throws(() => login(wanted, { initiator }), { message: /not found/ });
  }
  await login(wanted).disconnect();
  for (const initiators of [['ALL'], ['127.0.0.1'], ['iqn.a,ALL'], ['iqn.a b'], ['iqn.*'], ['iqn.[a'], ['.*'], [], undefined]) {
    const { initiators: _named, ...bare } = await request();
    const hostile = initiators === undefined ? bare : { ...bare, initiators };
    await t.throwsAsync(exporter.createExport(call(), hostile), { code: 'INVALID_ARGUMENT' }, String(initiators));
  }
  t.is((await exporter.listExports(call())).length, 1);
});

test(`accounts › ${on}, those that a target id had before are removed before anybody is let in, and none is doubled`, async (t) => {
  const { exporter, request, world, login } = await makeFixture(t);
  const wanted = await request();
  const tid = wanted.address ?? 0;
  for (const name of ['joe', 'joe', wanted.exportId]) world.users.push({ tid, direction: 'IncomingUser', name, password: 'known' });
  world.users.push(
    { tid, direction: 'OutgoingUser', name: 'jane', password: 'x' },
    { tid: 7, direction: 'IncomingUser', name: 'other', password: 'x' },
  );
  await exporter.createExport(call(), wanted);
  await exporter.createExport(call(), wanted);
  t.deepEqual(
    world.users.filter((user) => user.tid === tid).map(({ name }) => name),
    [wanted.exportId],
  );
  t.throws(() => login(wanted, { password: 'known' }), { message: /authentication/ });
  login(wanted);
  t.is(world.users.filter((user) => user.tid === 7).length, 1, 'accounts of others stay');
});

test(`createExport › ${on}, a target id or a name that somebody else has, and a device that he serves`, async (t) => {
  const { exporter, request, world } = await makeFixture(t);
  const wanted = await request();
  world.targets = [
    { tid: wanted.address ?? 0, name: 'iqn.2001-01.org.other:disk', luns: new Map(), sessions: new Set(), params: new Map() },
  ];
  world.tell();
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION', message: /iqn\.2001-01\.org\.other:disk/ });
  t.is(world.targets.length, 1);
  world.targets = [{ tid: 7, name: iqnOf(wanted.exportId).toUpperCase(), luns: new Map(), sessions: new Set(), params: new Map() }];
  world.tell();
  await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'ABORTED' });
  const other = await request();
  const { path } = other.volume.locator;
  const lun = { lun: 3, type: 'fileio', mode: 'wt', path, serial: '', scsiId: '', sizeBytes: 512 } as const;
  world.targets = [{ tid: 8, name: 'iqn.2001-01.org.other:disk', luns: new Map([[3, lun]]), sessions: new Set(), params: new Map() }];
  world.tell();
  await t.throwsAsync(exporter.createExport(call(), other), { code: 'FAILED_PRECONDITION', message: /two writers/ });
  t.is(world.allowFile, '');
});

test('ietConfigSchema › is what exporter.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/lvm-iet/exporter.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(ietConfigSchema)));
});

test('open › a portal without a legal port, and a range upside down, are CONFIG_INVALID', async (t) => {
  const { open } = await makeFixture(t);
  await t.throwsAsync(open({ config: { portal: '10.0.0.5:99999' } }), { code: 'CONFIG_INVALID', message: /portal/ });
  await t.throwsAsync(open({ config: { tids: { first: 9, last: 8 } } }), { code: 'CONFIG_INVALID', message: /tids/ });
});
