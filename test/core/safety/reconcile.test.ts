import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { gate, MiB, refusal, until } from '../../support/store.js';
import { World, type WorldOptions } from '../../support/world/world.js';
import { openWorldStore, untilQuiet, type WorldStore } from '../../support/world/world-store.js';
import { hookedStore, inDatabase, place, volumeOf, wait } from './fixture.js';

async function openWorld(t: ExecutionContext, options: WorldOptions = {}): Promise<WorldStore> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-reconcile-'));
  const opened = await openWorldStore(directory, new World(join(directory, 'world'), options), { shortLimits: false });
  t.teardown(async () => {
    await opened.store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return opened;
}

async function attach({ store }: WorldStore, device: string): Promise<{ readonly volumeId: string; readonly exportId: string }> {
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  const { exportId } = await store.attachVolume({ volumeId, vmmHost: 'node', vmId: 'vm', device }, wait);
  return { volumeId, exportId: exportId ?? '' };
}

/** Detached from a node that was said to be dead, which is left with the connection, and with the disk until that is taken out by hand. */
async function leftOnDeadNode(opened: WorldStore) {
  const { volumeId, exportId } = await attach(opened, 'xvdb');
  const { address } = opened.world.exports.get(exportId) ?? {};
  await opened.store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait);
  return { volumeId, exportId, address };
}

test('E1 › an address is not given out again after a detach from a dead node, until a repair removed what the node still had', async (t) => {
  const opened = await openWorld(t);
  const { store, world } = opened;
  const { address, ...dead } = await leftOnDeadNode(opened);
  t.is(typeof address, 'number');
  t.not(world.connections.get(dead.exportId), undefined);
  const second = await attach(opened, 'xvdc');
  t.not(world.exports.get(second.exportId)?.address, address);

  // The node was not dead after all, and its disk is taken out by hand.
  world.devices.remove('vm.xvdb');
  const { differences } = await store.reconcile({ repair: true });
  t.like(differences, { length: 1, 0: { kind: 'connection', action: 'removed' } });
  t.is(world.connections.get(dead.exportId), undefined);
  const third = await attach(opened, 'xvdd');
  t.is(world.exports.get(third.exportId)?.address, address);
  t.deepEqual(world.violations.read(), []);
});

test('D2 › a repair never disconnects a live attachment whose connection has the key of one that ended', async (t) => {
  const opened = await openWorld(t);
  const { store, world, metadata } = opened;
  const live = await attach(opened, 'xvdb');
  const ended = await attach(opened, 'xvdc');
  await store.detachVolume({ volumeId: ended.volumeId }, wait);
  // As with shelf and slot, which are given out again.
  const { connection, connection_key } = await metadata.db('exports').where({ id: live.exportId }).first();
  await metadata.db('exports').where({ id: ended.exportId }).update({ connection, connection_key });
  const disconnects = (): number => world.acts.read().filter(({ method, what }) => method === 'disconnect' && what === 'begin').length;
  const before = disconnects();
  t.deepEqual(await store.reconcile({ repair: true }), { differences: [], unseen: [] });
  t.is(disconnects(), before);
  world.write('vm', 'xvdb', 0, 'still here');
  t.is(world.volumes.get(live.volumeId)?.blocks[0], 'still here');
});

test('D2 › a repair takes what a node was left with of an address that was given out again, on another node', async (t) => {
  const opened = await openWorld(t);
  const { store, world, metadata } = opened;
  const left = await leftOnDeadNode(opened);
  world.devices.remove('vm.xvdb');
  const later = await attach(opened, 'xvdc');
  await store.detachVolume({ volumeId: later.volumeId }, wait);
  const { connection, connection_key } = await metadata.db('exports').where({ id: left.exportId }).first();
  await metadata.db('exports').where({ id: later.exportId }).update({ connection, connection_key, node: 'elsewhere' });
  const { differences } = await store.reconcile({ repair: true });
  t.like(differences, { length: 1, 0: { kind: 'connection', action: 'removed' } });
  t.is(world.connections.get(left.exportId), undefined);
});

test('D2 › a repair takes what a node was left with of a volume that was deleted since, and gives its address back', async (t) => {
  const opened = await openWorld(t);
  const { store, world } = opened;
  const { address, ...left } = await leftOnDeadNode(opened);
  world.devices.remove('vm.xvdb');
  await store.deleteVolume({ volumeId: left.volumeId }, wait);
  t.not(world.connections.get(left.exportId), undefined);
  t.not(world.exports.get((await attach(opened, 'xvdc')).exportId)?.address, address);
  const { differences } = await store.reconcile({ repair: true });
  t.like(differences, { length: 1, 0: { kind: 'connection', action: 'removed' } });
  t.is(world.connections.get(left.exportId), undefined);
  t.is(world.exports.get((await attach(opened, 'xvdd')).exportId)?.address, address);
  t.deepEqual(world.violations.read(), []);
});

test('D2 › a repair does not take the disk of an attach under way, to whom an address of before was given', async (t) => {
  const [connected, go] = [gate(), gate()];
  let waits = false;
  const opened = await openWorld(t, {
    onCall: async (phase, method) => {
      if (method !== 'connect' || phase !== 'after' || !waits) return;
      connected.open();
      await go.opened;
    },
  });
  t.teardown(go.open);
  const { store, world, metadata } = opened;
  const ended = await attach(opened, 'xvdb');
  await store.detachVolume({ volumeId: ended.volumeId }, wait);
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  waits = true;
  const attaching = store.attachVolume({ volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdc' }, wait);
  await connected.opened;
  const { id: exportId, address } = await metadata.db('exports').where({ volume_id: volumeId }).first();
  const before = await metadata.db('exports').where({ id: ended.exportId }).first();
  t.is(before.address, address);
  // As with shelf and slot: the key is that of the address.
  const connectionKey = before.connection_key.replace(ended.exportId, exportId);
  const connection = before.connection.replaceAll(ended.exportId, exportId);
  await metadata.db('exports').where({ id: ended.exportId }).update({ connection, connection_key: connectionKey });
  const { differences } = await store.reconcile({ repair: true });
  t.is(differences.length, 1);
  t.regex(differences[0]?.action ?? '', /^not removed: FAILED_PRECONDITION: .* is in use again; look again$/);
  go.open();
  await attaching;
  t.not(world.connections.get(exportId), undefined);
  await untilQuiet(store);
});

test('E1 › an address that a dead node may have had is given out again when the node shows nothing of it', async (t) => {
  const opened = await openWorld(t);
  const { store, world } = opened;
  const { address, ...dead } = await leftOnDeadNode(opened);
  // It starts again, with nothing.
  world.devices.remove('vm.xvdb');
  world.connections.remove(dead.exportId);
  t.deepEqual((await store.reconcile({})).differences, []);
  t.not(world.exports.get((await attach(opened, 'xvdc')).exportId)?.address, address);
  t.deepEqual((await store.reconcile({ repair: true })).differences, []);
  t.is(world.exports.get((await attach(opened, 'xvdd')).exportId)?.address, address);
});

test('E1 › an address that a dead node may have had is given out again also when its volume was deleted meanwhile', async (t) => {
  const opened = await openWorld(t);
  const { store, world } = opened;
  const { address, ...dead } = await leftOnDeadNode(opened);
  await store.deleteVolume({ volumeId: dead.volumeId }, wait);
  world.devices.remove('vm.xvdb');
  world.connections.remove(dead.exportId);
  t.deepEqual((await store.reconcile({ repair: true })).differences, []);
  t.is(world.exports.get((await attach(opened, 'xvdc')).exportId)?.address, address);
});

test('D2 › a repair leaves the connection of an attachment on its way out alone', async (t) => {
  const [asked, go] = [gate(), gate()];
  const opened = await openWorld(t, {
    onCall: async (phase, method) => {
      if (method !== 'disconnect' || phase !== 'before') return;
      asked.open();
      await go.opened;
    },
  });
  t.teardown(go.open);
  const { store, world } = opened;
  const { volumeId } = await attach(opened, 'xvdb');
  const detaching = store.detachVolume({ volumeId }, wait);
  await asked.opened;
  t.deepEqual((await store.reconcile({ repair: true })).differences, []);
  go.open();
  await detaching;
  await untilQuiet(store);
  t.is(world.acts.read().filter(({ method, what }) => method === 'disconnect' && what === 'effect').length, 1);
});

test('D2 › reconcile looks through 40,000 ended attachments', async (t) => {
  t.timeout(120_000);
  const { store, volume, directory } = await hookedStore(t, ({ go }) => go());
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  const count = 40_000;
  await inDatabase(directory, (database) =>
    database.transaction(async (trx) => {
      const numbered = `with recursive c(i) as (select 1 union all select i + 1 from c where i < ${count})`;
      const id = (kind: string): string => `'${kind}-' || printf('%017d', i)`;
      await trx.raw(`insert into ids (id, created_at) ${numbered} select ${id('exp')}, 1 from c`);
      await trx.raw(`insert into ids (id, created_at) ${numbered} select ${id('att')}, 1 from c`);
      await trx.raw(
        `insert into exports (id, volume_id, state, exporter, access, created_at) ${numbered}
         select ${id('exp')}, '${volumeId}', 'deleted', 'vs1/nbd', 'read-write', 1 from c`,
      );
      await trx.raw(
        `insert into attachments (id, volume_id, state, node, vm_id, vm_key, device, slot, access, export_id, created_at) ${numbered}
         select ${id('att')}, '${volumeId}', 'detached', 'sandbox', 'vm1', 'vm1', 'xvdb', 'xvdb', 'read-write', ${id('exp')}, 1 from c`,
      );
    }),
  );
  t.deepEqual(await store.reconcile({ repair: true }), { differences: [], unseen: [] });
  t.is((await volumeOf(store, volumeId))?.state, 'in-use');
});

const orphan = 'vol-0123456789abcdef0';

test('D2 › of an adopt and a delete of one orphan at the same moment one is refused', async (t) => {
  const [looking, go] = [gate(), gate()];
  let make = async (): Promise<unknown> => undefined;
  let hold = false;
  const { store, volume } = await hookedStore(t, async ({ method, call, again, go: act }) => {
    if (method === 'createVolume') {
      const made = await act();
      make = () => again(call, { id: orphan, sizeBytes: MiB });
      return made;
    }
    if (!hold || method !== 'listVolumes' || call.operationId === '') return act();
    hold = false;
    const seen = await act();
    looking.open();
    await go.opened;
    return seen;
  });
  t.teardown(go.open);
  await volume(MiB);
  await make();
  hold = true;
  const adopting = store.reconcile({ adopt: orphan });
  await looking.opened;
  await refusal(t, store.reconcile({ delete: orphan }), 'ABORTED');
  go.open();
  t.deepEqual((await adopting).differences, []);
  t.is((await volumeOf(store, orphan))?.state, 'available');
  t.is((await store.attachVolume({ volumeId: orphan, ...place }, wait)).state, 'attached');
});

test('D2 › a volume is not adopted while its delete runs, nor after it', async (t) => {
  const [deleting, go] = [gate(), gate()];
  const { store, volume } = await hookedStore(t, async ({ method, go: act }) => {
    if (method !== 'deleteVolume') return act();
    deleting.open();
    await go.opened;
    return act();
  });
  t.teardown(go.open);
  const { id: volumeId } = await volume(MiB);
  const deleted = store.deleteVolume({ volumeId }, wait);
  await deleting.opened;
  const refused = await t.throwsAsync(store.reconcile({ adopt: volumeId }));
  t.true(['ABORTED', 'FAILED_PRECONDITION'].includes(String((refused as { code?: unknown }).code)), String(refused));
  go.open();
  await deleted;
  await refusal(t, store.reconcile({ adopt: volumeId }), 'NOT_FOUND');
  await until('nothing is left', async () => (await store.describeVolumes()).items.length === 0);
});
