import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aoeInitiatorConfigSchema } from '@vbs/plugin-aoe/internal/initiator/config.js';
import test from 'ava';
import { waysToHold } from '../../stand-ins/aoe/holdings.js';
import { call, KiB, mac, makeFixture, otherMac } from './initiator-fixture.js';

test('aoeInitiatorConfigSchema › is what initiator.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/aoe/initiator.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(aoeInitiatorConfigSchema)));
});

test('getIdentity › answers the MAC addresses of the configured interfaces', async (t) => {
  const { initiator, open } = await makeFixture(t);
  t.deepEqual(await initiator.contract.getIdentity(call()), { initiators: [mac] });
  const both = await open({ config: { interfaces: ['eth1', 'eth2'] } });
  t.deepEqual(await both.contract.getIdentity(call()), { initiators: [mac, otherMac] });
  const none = await open({ config: { interfaces: ['eth9'] } });
  await t.throwsAsync(none.contract.getIdentity(call()), { code: 'FAILED_PRECONDITION', message: /eth9 is not there/ });
});

test('connect › takes what told of itself once its target has answered a read, and is answered again as it is', async (t) => {
  const { initiator, machine, node, target } = await makeFixture(t);
  const { request } = await target({ masks: [mac.replaceAll(':', '')] });
  await node.settled();
  const connected = await initiator.contract.connect(call(), request);
  t.deepEqual(connected, {
    connection: request.connection,
    devicePath: `/dev/etherd/${request.connection.key}`,
    sizeBytes: request.sizeBytes,
  });
  t.deepEqual(await initiator.contract.connect(call(), request), connected);
  const read = `dd if=${connected.devicePath} of=/dev/null bs=8192 count=1 iflag=direct status=none`;
  t.deepEqual(machine.faults.ran, [read, read], 'no discovery');
  const [listed, ...others] = await initiator.contract.listConnections(call());
  t.deepEqual(others, []);
  t.is(listed?.connection.key, request.connection.key);
  t.is(listed?.sizeBytes, request.sizeBytes);
});

test('connect › asks the segment where nothing was heard, and waits for a slow target', async (t) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  node.missesAnnouncements = true;
  node.discoveryMs = 400;
  const { request } = await target();
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, request.sizeBytes);
  const ran = machine.faults.ran.map((line) => line.split(' ')[0]);
  t.is(ran[0], 'aoe-discover');
  t.deepEqual([ran.indexOf('dd'), ran.at(-1)], [ran.length - 1, 'dd']);
});

test('connect › nobody answers: UNAVAILABLE with what to look at, and nothing is left', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  node.allowed = ['eth2'];
  await node.write('sys/module/aoe/parameters/aoe_iflist', 'eth2\n');
  const { request } = await target({ masks: [mac.replaceAll(':', '')] });
  await t.throwsAsync(initiator.contract.connect(call(), request), { code: 'UNAVAILABLE', message: /aoe-interfaces eth2 eth1/ });
  t.deepEqual([...node.devices.keys()], []);
  await node.write('sys/module/aoe/parameters/aoe_iflist', '(null)\n');
  node.allowed = [];
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, request.sizeBytes);
});

test('connect › a device that answers on an interface that is not configured is refused, and not left there (safety E2)', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target({ masks: [otherMac.replaceAll(':', '')] });
  await t.throwsAsync(initiator.contract.connect(call(), request), { code: 'FAILED_PRECONDITION', message: /on eth2, which is none/ });
  t.deepEqual([...node.devices.keys()], []);
});

test('connect › a device of another size is refused, and not left there (safety E2)', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target();
  const error = await t.throwsAsync(initiator.contract.connect(call(), { ...request, sizeBytes: 128 * KiB }), {
    code: 'FAILED_PRECONDITION',
  });
  t.like(error, { context: { sizeBytes: 64 * KiB, expectedBytes: 128 * KiB } });
  t.deepEqual([...node.devices.keys()], []);
  t.deepEqual(await initiator.contract.listConnections(call()), []);
});

test('connect › a device of another size that a guest has open is refused and stays', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target();
  await initiator.contract.connect(call(), request);
  await node.hold(request.connection.key, 'xen');
  const wrong = { ...request, sizeBytes: 128 * KiB };
  await t.throwsAsync(initiator.contract.connect(call(), wrong), { code: 'FAILED_PRECONDITION', message: /stays connected.*Xen backend/ });
  t.deepEqual([...node.devices.keys()], [request.connection.key]);
  t.deepEqual(node.lost, []);
});

test('connect › what a former export of the address left is found anew (safety E1)', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const former = await target({ slot: 7 });
  await initiator.contract.connect(call(), former.request);
  former.stop();
  node.missesAnnouncements = true;
  // Another export has the address; the node still shows the size of the former one.
  const { request } = await target({ slot: 7, sizeBytes: 256 * KiB });
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, 256 * KiB);
  // And once more, with a device that has gone down.
  await node.goDown('e1.7');
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, 256 * KiB);
});

test('connect › what is down and still held is FAILED_PRECONDITION, and stays', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target();
  await initiator.contract.connect(call(), request);
  const release = await node.hold(request.connection.key, 'process');
  await node.goDown(request.connection.key);
  await t.throwsAsync(initiator.contract.connect(call(), request), { code: 'FAILED_PRECONDITION', message: /down,closewait/ });
  t.deepEqual(node.lost, []);
  await release();
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, request.sizeBytes);
});

test('connect › sets the access that was asked for, and sets it back', async (t) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  const { request } = await target();
  await initiator.contract.connect(call(), { ...request, access: 'read-only' });
  t.true(node.devices.get(request.connection.key)?.readOnly);
  await initiator.contract.connect(call(), request);
  t.false(node.devices.get(request.connection.key)?.readOnly);
  t.deepEqual(
    machine.faults.ran.filter((line) => line.startsWith('blockdev')).map((line) => line.split(' ')[1]),
    ['--setro', '--setrw'],
  );
});

test('connect › without the kernel module: FAILED_PRECONDITION that says how to load it; disconnect then has nothing to do', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  await node.unload();
  const { request } = await target();
  await t.throwsAsync(initiator.contract.connect(call(), request), { code: 'FAILED_PRECONDITION', message: /modprobe aoe/ });
  await t.notThrowsAsync(initiator.contract.disconnect(call(), request));
});

const illegal = test.macro<[string, object]>(async (t, field, overrides) => {
  const { initiator, machine, target } = await makeFixture(t);
  const { request } = await target();
  const { connection = {}, ...rest } = overrides as { connection?: object };
  const given = { ...request, ...rest, connection: { ...request.connection, ...connection } } as never;
  await t.throwsAsync(initiator.contract.connect(call(), given), { code: 'INVALID_ARGUMENT' });
  const error = await initiator.contract.connect(call(), given).catch((thrown: { context: object }) => thrown.context);
  t.like(error, { field });
  t.deepEqual(machine.faults.ran, []);
});
for (const [title, field, overrides] of [
  ['an id that is none', 'attachmentId', { attachmentId: '../att' }],
  ['a broadcast shelf', 'connection.shelf', { connection: { shelf: 65_535, key: 'e65535.1' } }],
  ['a shelf that Linux ignores', 'connection.shelf', { connection: { shelf: 4_095, key: 'e4095.1' } }],
  ['a broadcast slot', 'connection.slot', { connection: { slot: 255, key: 'e1.255' } }],
  ['a key of another address', 'connection.key', { connection: { key: 'e1.999' } }],
  ['half a sector', 'sizeBytes', { sizeBytes: 1_000 }],
  ['another access', 'access', { access: 'rw' }],
] as const)
  test(`connect › ${title} is INVALID_ARGUMENT, and nothing is run`, illegal, field, overrides);

test('disconnect › flushes what is cached and forgets the device; the neighbours whose names begin the same stay', async (t) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  const one = await target({ slot: 1 });
  const others = [await target({ slot: 10 }), await target({ slot: 11 }), await target({ slot: 100 })];
  for (const { request } of [one, ...others]) await initiator.contract.connect(call(), request);
  for (const { request } of others) await node.hold(request.connection.key, 'process');
  machine.faults.ran.length = 0;
  await initiator.contract.disconnect(call(), one.request);
  t.deepEqual(node.lost, []);
  t.deepEqual([...node.devices.keys()].sort(), ['e1.10', 'e1.100', 'e1.11']);
  t.deepEqual(
    machine.faults.ran.map((line) => line.split(' ')[0]),
    ['blockdev', 'udevadm', 'find', 'tee'],
  );
  await initiator.contract.disconnect(call(), one.request);
  t.is(machine.faults.ran.length, 4, 'the absent needs no command');
});

const held = test.macro<[(typeof waysToHold)[number]]>(async (t, how) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  const { request } = await target({ slot: 4 });
  const neighbour = await target({ slot: 40 });
  for (const one of [request, neighbour.request]) await initiator.contract.connect(call(), one);
  const release = await node.hold('e1.4', how);
  const error = await t.throwsAsync(initiator.contract.disconnect(call(), request), { code: 'FAILED_PRECONDITION', message: /is held/ });
  t.like(error, { context: { device: 'e1.4' } });
  t.notRegex(machine.faults.ran.join('\n'), /tee/);
  await release();
  await node.hold('e1.40', how);
  await t.notThrowsAsync(initiator.contract.disconnect(call(), request), 'what holds a neighbour is not meant');
  t.deepEqual([...node.devices.keys()], ['e1.40']);
  t.deepEqual(node.lost, []);
});
for (const how of waysToHold) test(`disconnect › refuses while the device is held: ${how}`, held, how);

test('disconnect › waits for who only looks at a new device, as udev does', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target();
  await initiator.contract.connect(call(), request);
  const release = await node.hold(request.connection.key, 'process');
  setTimeout(() => void release(), 300);
  await initiator.contract.disconnect(call(), request);
  t.deepEqual(node.lost, []);
  t.deepEqual([...node.devices.keys()], []);
});

test('disconnect › a dead target: its device is forgotten, without a flush that nobody would take', async (t) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  const { request, stop } = await target();
  await initiator.contract.connect(call(), request);
  stop();
  await node.goDown(request.connection.key);
  t.is((await initiator.contract.listConnections(call())).length, 1, 'it keeps its address until it was flushed');
  await initiator.contract.disconnect(call(), request);
  t.deepEqual([...node.devices.keys()], []);
  t.notRegex(machine.faults.ran.join('\n'), /blockdev/);
});

test('connect › a device whose target has gone is not answered, and not left there', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request, stop, start } = await target();
  await node.settled();
  stop();
  await t.throwsAsync(initiator.contract.connect(call(), request), { code: 'UNAVAILABLE', message: /No target answers/ });
  t.deepEqual([...node.devices.keys()], []);
  await start();
  t.is((await initiator.contract.connect(call(), request)).sizeBytes, request.sizeBytes);
  stop();
  await node.hold(request.connection.key, 'xen');
  await t.throwsAsync(initiator.contract.connect(call(), request), {
    code: 'UNAVAILABLE',
    message: /answers no read.*held by the Xen backend/,
  });
  t.deepEqual(node.lost, []);
});

test('extendConnection › shows the new size also while the device is open', async (t) => {
  const { initiator, node, machine, target } = await makeFixture(t);
  const { request, start, stop } = await target();
  await initiator.contract.connect(call(), request);
  machine.faults.ran.length = 0;
  await node.hold(request.connection.key, 'process');
  stop();
  await start(256 * KiB);
  await node.settled();
  t.is(node.devices.get(request.connection.key)?.sectors, 128, 'the kernel does not ask while it is open');
  node.discoveryMs = 200;
  t.deepEqual(await initiator.contract.extendConnection(call(), { ...request, sizeBytes: 256 * KiB }), { sizeBytes: 256 * KiB });
  t.deepEqual(machine.faults.ran, [`aoe-revalidate ${request.connection.key}`]);
  t.deepEqual(await initiator.contract.extendConnection(call(), { ...request, sizeBytes: 256 * KiB }), { sizeBytes: 256 * KiB });
  t.is(machine.faults.ran.length, 1);
});

test('extendConnection › a target that does not show the size is UNAVAILABLE; a device that is not there is NOT_FOUND', async (t) => {
  const { initiator, node, target } = await makeFixture(t);
  const { request } = await target();
  await t.throwsAsync(initiator.contract.extendConnection(call(), { ...(await target({ isStarted: false })).request }), {
    code: 'NOT_FOUND',
  });
  await initiator.contract.connect(call(), request);
  const wanted = { ...request, sizeBytes: 256 * KiB };
  await t.throwsAsync(initiator.contract.extendConnection(call(), wanted), { code: 'UNAVAILABLE', message: /extend its export first/ });
  await node.goDown(request.connection.key);
  await t.throwsAsync(initiator.contract.extendConnection(call(), wanted), { code: 'UNAVAILABLE', message: /is down/ });
});

test('listConnections › tells every device of the aoe module in one look, and no other', async (t) => {
  const { initiator, machine, target } = await makeFixture(t);
  t.deepEqual(await initiator.contract.listConnections(call()), []);
  for (const slot of [1, 10, 11]) await initiator.contract.connect(call(), (await target({ slot })).request);
  machine.faults.ran.length = 0;
  const keys = (await initiator.contract.listConnections(call())).map(({ connection }) => connection.key).sort();
  t.deepEqual(keys, ['e1.1', 'e1.10', 'e1.11']);
  t.deepEqual(machine.faults.ran, []);
});

test('check › tells of a missing module, an interface that is down, an MTU and an LVM that scans AoE disks', async (t) => {
  const { open, node, directory } = await makeFixture(t);
  const good = await open({ config: { minimumMtu: 9_000 } });
  t.deepEqual(await good.check(call()), []);
  const strict = await open({ config: { interfaces: ['eth1', 'eth8'], minimumMtu: 9_216 } });
  const faults = (await strict.check(call())).join('\n');
  t.regex(faults, /MTU of eth1 is 9000/);
  t.regex(faults, /no interface eth8/);
  await writeFile(join(directory, 'root/sys/class/net/eth1/operstate'), 'down\n');
  await node.write('etc/lvm/lvm.conf', 'devices {\n\t# global_filter = [ "r|^/dev/etherd/|" ]\n}\n');
  t.regex((await good.check(call())).join('\n'), /eth1 is down[\s\S]*global_filter/);
  await node.write('etc/lvm/lvmlocal.conf', 'devices {\n\tglobal_filter = [ "r|^/dev/etherd/|" ]\n}\n');
  await writeFile(join(directory, 'root/sys/class/net/eth1/operstate'), 'up\n');
  t.deepEqual(await good.check(call()), []);
  await node.unload();
  t.regex((await good.check(call())).join('\n'), /modprobe aoe/);
});
