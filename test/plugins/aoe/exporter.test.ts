import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { addressOf, defaultShelves, keyOf, numbersOf } from '@vbs/plugin-aoe/internal/exporter/address.js';
import { parseBlade, parseProcessList, wordsOf } from '@vbs/plugin-aoe/internal/exporter/blade.js';
import { exporterCommands } from '@vbs/plugin-aoe/internal/exporter/commands.js';
import { aoeExporterSchema } from '@vbs/plugin-aoe/internal/exporter/config.js';
import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { segmentClient } from '../../stand-ins/vblade/segment-client.js';
import { call, MiB, node1, node2, requestOf, StandInStage } from './exporter-stage.js';

test('aoeExporterSchema › is what exporter.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/aoe/exporter.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(aoeExporterSchema)));
});

test('addresses › every number of the shelves is a shelf and slot of its own, and never a broadcast', (t) => {
  const { first, last } = numbersOf({ first: 65_533, last: 65_534 });
  const keys = new Set<string>();
  for (let number = first; number <= last; number++) {
    const { shelf, slot } = addressOf(number);
    t.true(shelf >= 65_533 && shelf <= 65_534 && slot >= 0 && slot <= 254);
    keys.add(keyOf({ shelf, slot }));
  }
  t.is(keys.size, 2 * 255);
  t.deepEqual(addressOf(255), { shelf: 1, slot: 0 });
});

test('addresses › two stores on one segment get shelves apart, and two exporters of one store the same', async (t) => {
  for (const id of ['00', 'ab', 'ff']) {
    const { first, last } = defaultShelves(id.repeat(16), 'default');
    t.true(first >= 0 && last <= 65_534 && last - first === 15);
  }
  for (let store = 0; store < 5_000; store++) {
    const { first, last } = defaultShelves(store.toString(16).padStart(32, '0'), 'default');
    t.false(first <= 4095 && 4095 <= last);
  }
  const stage = await StandInStage.make(t);
  const [one, other, stranger, elsewhere] = await Promise.all([
    stage.open({ name: 'vs1/aoe' }),
    stage.open({ name: 'vs2/aoe' }),
    stage.open({ name: 'vs1/aoe', storeId: 'f'.repeat(32) }),
    stage.open({ name: 'vs1/aoe', config: { segment: 'second' } }),
  ]);
  t.deepEqual(one.traits.addresses, other.traits.addresses);
  t.notDeepEqual(one.traits.addresses, stranger.traits.addresses);
  t.not(one.traits.addresses?.space, elsewhere.traits.addresses?.space);
});

test('parseBlade › reads what a command line exports, whatever stands before vblade', (t) => {
  const line =
    'ip\0netns\0exec\0n\0/usr/sbin/vblade\0-b\x0016\0-sr\0-l\x002048\0-m\x0052:54:00:00:00:02,525400000001\x001\x007\0eth1\0/dev/vg0/a b\0';
  const expected = { shelf: 1, slot: 7, interface: 'eth1', path: '/dev/vg0/a b', readOnly: true, sectors: 2048 };
  t.deepEqual(parseBlade(wordsOf(line)), { ...expected, masks: ['525400000001', '525400000002'] });
  t.deepEqual(parseProcessList('   1001 vblade -r -l 2048 1 7 eth1 /dev/vg0/a b\n 7 [vblade] <defunct>\n'), [
    { ...expected, masks: [], pid: 1001 },
  ]);
  for (const words of [['vblade'], ['sleep', '1'], ['vblade', '-x', '1', '1', 'eth1', '/v'], ['vblade', 'a', '1', 'eth1', '/v'], []]) {
    t.is(parseBlade(words), undefined);
  }
});

test('every operation › runs the commands that the README lists, and no other', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const wanted = await stage.request();
  const ranBy = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    const from = stage.faults.ran.length;
    await act();
    return stage.faults.ran.slice(from).map((line) => line.split(' ')[0] ?? '');
  };
  t.deepEqual(await ranBy(() => contract.createExport(call(), wanted)), ['ps', 'vblade']);
  t.deepEqual(await ranBy(() => contract.createExport(call(), wanted)), []);
  t.deepEqual(await ranBy(() => contract.listExports(call())), []);
  t.deepEqual(await ranBy(() => contract.ensureExports(call(), { exports: [wanted] })), []);
  await truncate(stage.file(wanted), 2 * MiB);
  const volume = { ...wanted.volume, sizeBytes: 2 * MiB };
  t.deepEqual(await ranBy(() => contract.extendExport(call(), { exportId: wanted.exportId, volume })), ['stat', 'stop', 'vblade']);
  t.deepEqual(await ranBy(() => contract.revokeAccess(call(), wanted)), ['mkdir', 'write', 'stop']);
  t.deepEqual(await ranBy(() => contract.deleteExport(call(), wanted)), ['rm']);
  const plain = await stage.request();
  await contract.createExport(call(), plain);
  t.deepEqual(await ranBy(() => contract.deleteExport(call(), plain)), ['stop']);
});

const started = test.macro<[object, object, string]>({
  title: (_, config, request) => `createExport › vblade is told what ${JSON.stringify(config)} and ${JSON.stringify(request)} ask for`,
  exec: async (t, config, request, expected) => {
    const stage = await StandInStage.make(t);
    const { contract, traits } = await stage.open({ config });
    const wanted = await stage.request(request);
    await contract.createExport(call(), wanted);
    const { shelf } = addressOf(traits.addresses?.first ?? 0);
    t.is(stage.faults.ran.at(-1), `vblade ${expected} ${shelf} 0 eth1 ${wanted.volume.locator.path}`);
  },
});
const mask = `-m ${node1}`;
test(started, {}, {}, `-b 16 -s -l 2048 ${mask}`);
test(started, {}, { access: 'read-only' }, `-b 16 -sr -l 2048 ${mask}`);
test(started, {}, { initiators: [node2, node1, node2.toUpperCase()] }, `-b 16 -s -l 2048 -m ${node1},${node2}`);
test(started, { direct: true, bufferCount: 64 }, { access: 'read-only' }, `-b 64 -sdr -l 2048 ${mask}`);
test(started, { sync: false }, {}, `-b 16 -l 2048 ${mask}`);
test(started, { acl: false }, {}, '-b 16 -s -l 2048');
test(started, { acl: false, sync: false }, {}, '-b 16 -l 2048');

const masksRefused = test.macro<[string, readonly string[]]>({
  title: (_, what) => `createExport › an access list that ${what} never reaches vblade, which would export without one`,
  exec: async (t, _, initiators) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const error = await t.throwsAsync(contract.createExport(call(), await stage.request({ initiators })), { code: 'INVALID_ARGUMENT' });
    t.is((error as VbsError).context.field, 'initiators');
    t.deepEqual(stage.faults.ran, []);
  },
});
test(masksRefused, 'is empty', []);
test(masksRefused, 'has no address', ['zz']);
test(masksRefused, 'has a wrong digit', ['52:54:00:00:00:0g']);
test(masksRefused, 'has half an address', ['52:54:00:00:00']);
test(masksRefused, 'hides one address in another', [`${node1},zz`]);
test(masksRefused, 'has the address of a group', ['01:00:5e:00:00:01']);
test(masksRefused, 'has everybody', ['ff:ff:ff:ff:ff:ff']);
test(masksRefused, 'has the address of nobody', ['00:00:00:00:00:00']);
test(masksRefused, 'has an IQN', ['iqn.2009-01.example:somebody']);
test(
  masksRefused,
  'has 33 addresses',
  Array.from({ length: 33 }, (_, index) => `52:54:00:00:01:${index.toString(16).padStart(2, '0')}`),
);

test('createExport › a vblade that ignores its mask all the same is ended, and nobody was let in', async (t) => {
  const stage = await StandInStage.make(t);
  const { vblade } = stage.vblade.daemons;
  const deaf = new StandInMachine({
    root: stage.root,
    stateDirectory: join(stage.directory, 'guards'),
    tools: stage.vblade.tools,
    daemons: {
      vblade: async (run) => {
        const args = run.args.map((word) => (word === node1 ? 'zz' : word));
        if (vblade === undefined) throw new Error('no vblade');
        return await vblade({ ...run, args });
      },
    },
  });
  const { contract } = await stage.open({ machine: () => deaf });
  const error = await t.throwsAsync(contract.createExport(call(), await stage.request()), { code: 'INTERNAL' });
  t.regex(error?.message ?? '', /answer everybody/);
  t.deepEqual(stage.running(), []);
});

const refusedBecause = test.macro<[string, (stage: StandInStage) => void, string, RegExp]>({
  title: (_, what) => `createExport › says what is wrong where ${what}, and starts nothing`,
  exec: async (t, _, spoil, code, message) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const wanted = await stage.request();
    spoil(stage);
    const error = await t.throwsAsync(contract.createExport(call(), wanted), { code });
    t.regex(error?.message ?? '', message);
    t.deepEqual([stage.running(), await contract.listExports(call())], [[], []]);
  },
});
test(
  refusedBecause,
  'the interface is down',
  (stage) => {
    stage.vblade.interfaces.eth1 = 'down';
  },
  'FAILED_PRECONDITION',
  /eth1 is down/,
);
test(
  refusedBecause,
  'there is no such interface',
  (stage) => {
    delete stage.vblade.interfaces.eth1;
  },
  'FAILED_PRECONDITION',
  /no such network interface/,
);

test('createExport › an address or a volume that another vblade of the machine has is refused, and that one stays', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const [mine, theirs] = [await stage.request(), await stage.request()];
  const { shelf, slot } = addressOf(mine.address ?? 0);
  const end = stage.vblade.foreign(stage.root, 77, [String(shelf), String(slot), 'eth1', theirs.volume.locator.path]);
  const taken = await t.throwsAsync(contract.createExport(call(), mine), { code: 'FAILED_PRECONDITION' });
  t.regex(taken?.message ?? '', /is taken on eth1 by process 77/);
  const shared = await t.throwsAsync(contract.createExport(call(), theirs), { code: 'FAILED_PRECONDITION' });
  t.regex(shared?.message ?? '', /is exported as e\d+\.0 already \(process 77\)/);
  t.deepEqual(await contract.listExports(call()), []);
  await contract.deleteExport(call(), mine);
  t.is(stage.running().length, 1);
  end();
  await contract.createExport(call(), mine);
  await contract.createExport(call(), theirs);
});

test('createExport › of an address outside the shelves is refused', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open({ config: { shelves: { first: 3, last: 4 } } });
  for (const address of [3 * 255 - 1, 5 * 255, -1, 3 * 255 + 0.5]) {
    await t.throwsAsync(contract.createExport(call(), requestOf('/dev/v', address)), { code: 'INVALID_ARGUMENT' });
  }
  const { address: _, ...without } = requestOf('/dev/v', 0);
  await t.throwsAsync(contract.createExport(call(), without), { code: 'INVALID_ARGUMENT' });
  t.deepEqual(stage.faults.ran, []);
});

test('createExport › with other Ethernet addresses shuts out who is no longer named, and lets in who is', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const wanted = await stage.request();
  const { key } = await contract.createExport(call(), wanted);
  const client = await segmentClient(stage.vblade.segment, { key, mac: node1, limitMs: 50 });
  await contract.createExport(call(), { ...wanted, initiators: [node2] });
  await t.throwsAsync(client.read(0, 512));
  t.is((await segmentClient(stage.vblade.segment, { key, mac: node2 })).sizeBytes, MiB);
  await truncate(stage.file(wanted), 2 * MiB);
  await contract.extendExport(call(), { exportId: wanted.exportId, volume: { ...wanted.volume, sizeBytes: 2 * MiB } });
  await contract.createExport(call(), wanted);
  t.is((await segmentClient(stage.vblade.segment, { key, mac: node1 })).sizeBytes, 2 * MiB, 'it was made smaller');
});

test('ensureExports › after a reboot makes every export again at its address, and ends what an extension had begun', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const wanted = await Promise.all(Array.from({ length: 10 }, () => stage.request()));
  for (const one of wanted) await contract.createExport(call(), one);
  const before = [...stage.running()].sort();
  await stage.machine.kill();
  t.deepEqual(await contract.listExports(call()), []);
  await contract.ensureExports(call(), { exports: wanted });
  t.deepEqual([...stage.running()].sort(), before);
  const [first] = wanted;
  if (first === undefined) throw new Error('none');
  await truncate(stage.file(first), 2 * MiB);
  await contract.ensureExports(call(), { exports: [{ ...first, volume: { ...first.volume, sizeBytes: 2 * MiB } }] });
  t.is((await contract.listExports(call())).find(({ exportId }) => exportId === first.exportId)?.sizeBytes, 2 * MiB);
});

test('ensureExports › one that cannot be made is named, and the others are made', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const [good, lost] = [await stage.request(), requestOf('/dev/vg0/nowhere', stage.address())];
  const error = await t.throwsAsync(contract.ensureExports(call(), { exports: [lost, good] }), { code: 'NOT_FOUND' });
  t.true(error?.message.includes(lost.exportId));
  t.is(stage.running().length, 1);
});

test('revokeAccess › the export stays listed and shut, also after a restart and for another instance, and its volume may be exported anew', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const wanted = await stage.request({ access: 'read-only' });
  await contract.createExport(call(), wanted);
  const before = await contract.listExports(call());
  await contract.revokeAccess(call(), wanted);
  t.deepEqual(stage.running(), []);
  const again = (await stage.open()).contract;
  t.deepEqual(await again.listExports(call()), before);
  await t.throwsAsync(again.createExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(again.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(again.extendExport(call(), wanted), { code: 'FAILED_PRECONDITION' });
  await again.createExport(call(), await stage.request({ of: wanted }));
  t.is(stage.running().length, 1);
  await again.deleteExport(call(), wanted);
  t.is((await again.listExports(call())).length, 1);
});

test('extendExport › a volume that has not grown, or another volume, leaves the export as it is', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const [wanted, other] = [await stage.request(), await stage.request()];
  await contract.createExport(call(), wanted);
  const before = stage.running();
  const { exportId } = wanted;
  const grown = { ...wanted.volume, sizeBytes: 2 * MiB };
  await t.throwsAsync(contract.extendExport(call(), { exportId, volume: grown }), { code: 'FAILED_PRECONDITION' });
  await t.throwsAsync(contract.extendExport(call(), { exportId, volume: other.volume }), { code: 'FAILED_PRECONDITION' });
  const odd = { ...wanted.volume, sizeBytes: MiB + 1 };
  await t.throwsAsync(contract.extendExport(call(), { exportId, volume: odd }), { code: 'INVALID_ARGUMENT' });
  t.deepEqual(await contract.extendExport(call(), { exportId, volume: wanted.volume }), { sizeBytes: MiB });
  t.deepEqual(stage.running(), before);
});

test('listExports › knows only its own store, and says so where a process of its name is no vblade', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  const other = await stage.open({ storeId: 'f'.repeat(32) });
  await contract.createExport(call(), await stage.request());
  t.deepEqual(await other.contract.listExports(call()), []);
  const [{ pid } = { pid: 0 }] = await stage.machine.find(call(), '');
  await writeFile(join(stage.root, 'proc', String(pid), 'cmdline'), 'wrapper\0--of\0vblade.sh\0');
  const error = await t.throwsAsync(contract.listExports(call()), { code: 'FAILED_PRECONDITION' });
  t.regex(error?.message ?? '', /must become vblade itself/);
});

test('commands › a replaced pattern is the one that is run', async (t) => {
  const stage = await StandInStage.make(t);
  const pattern = exporterCommands.startBlade.replace('vblade', 'vblade -o 0');
  const { contract } = await stage.open({ commands: { startBlade: { pattern, withdraws: [] } } });
  await contract.createExport(call(), await stage.request());
  t.regex(stage.faults.ran.at(-1) ?? '', /^vblade -o 0 -b 16/);
});

test('check › tells an interface that is missing or down, and a vblade that is not installed', async (t) => {
  const stage = await StandInStage.make(t);
  const { check } = await stage.open();
  t.deepEqual(await check(call()), []);
  stage.vblade.interfaces.eth1 = 'down';
  t.regex((await check(call())).join(), /eth1 is down/);
  delete stage.vblade.interfaces.eth1;
  t.regex((await check(call())).join(), /no network interface eth1/);
  const bare = new StandInMachine({ root: stage.root, stateDirectory: join(stage.directory, 'guards'), tools: {} });
  const missing = await (await stage.open({ machine: () => bare })).check(call());
  t.is(missing.length, 2);
});

test('open › shelves that have no order, or hold the one that Linux ignores, are CONFIG_INVALID', async (t) => {
  const stage = await StandInStage.make(t);
  for (const shelves of [
    { first: 4, last: 3 },
    { first: 4000, last: 4095 },
    { first: 4095, last: 4096 },
    { first: 0, last: 65_534 },
  ]) {
    const error = await t.throwsAsync(stage.open({ config: { shelves } }));
    t.is((error as VbsError).code, 'CONFIG_INVALID');
  }
});

test('open › loopback needs no access list, every other interface has one', async (t) => {
  const stage = await StandInStage.make(t);
  const reach = async (config: object): Promise<unknown> => (await stage.open({ config })).traits.reach;
  t.is(await reach({ interface: 'lo' }), 'loopback');
  t.is(await reach({}), 'network');
  t.false((await stage.open({ config: { acl: false } })).capabilities.has('acl'));
});

test('200 exports at once › have addresses and volumes of their own, with tools that take 20 ms', async (t) => {
  const stage = await StandInStage.make(t);
  const slow = new StandInMachine({
    root: stage.root,
    stateDirectory: join(stage.directory, 'guards'),
    tools: stage.vblade.tools,
    daemons: stage.vblade.daemons,
    takesMs: 20,
  });
  const { contract } = await stage.open({ machine: () => slow });
  const wanted = await Promise.all(Array.from({ length: 200 }, () => stage.request()));
  for (const one of wanted) await writeFile(stage.file(one), one.exportId.padEnd(MiB, ' '));
  const connections = await Promise.all(wanted.map((one) => contract.createExport(call(), one)));
  for (const [index, { key }] of connections.entries()) {
    const client = await segmentClient(stage.vblade.segment, { key, mac: node1 });
    t.is(Buffer.from(await client.read(0, 21)).toString(), wanted[index]?.exportId ?? '');
  }
  await Promise.all(wanted.map((one) => contract.deleteExport(call(), one)));
  t.deepEqual(stage.running(), []);
});
