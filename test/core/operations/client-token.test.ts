import { VbsError } from '@vbs/core';
import test from 'ava';
import { intercepting } from '../../support/intercept.js';
import { MiB, newStore, refusal, vmmHost } from '../../support/store.js';

const day = 24 * 60 * 60 * 1000;

test('clientToken › a repeat answers what the first call did, and makes nothing', async (t) => {
  const { store } = await newStore(t);
  const [first, again] = [
    await store.createVolume({ size: MiB, comment: 'one' }, { clientToken: 'token', wait: true }),
    await store.createVolume({ comment: 'one', size: MiB }, { clientToken: 'token', wait: true }),
  ];
  t.deepEqual(again, first);
  t.is((await store.createVolume({ comment: 'one', size: MiB }, { clientToken: 'token' })).id, first.id);
  t.is((await store.describeVolumes()).items.length, 1);
});

test('clientToken › of one kind says nothing about another', async (t) => {
  const { store } = await newStore(t);
  const { id } = await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true });
  const snapshot = await store.createSnapshot({ volumeId: id }, { clientToken: 'token', wait: true });
  t.is(snapshot.state, 'completed');
});

test('clientToken › with other parameters is ALREADY_EXISTS that names the field and the first operation', async (t) => {
  const { store } = await newStore(t);
  const told: string[] = [];
  const { id } = await store.createVolume(
    { size: MiB },
    { clientToken: 'token', wait: true, onOperation: (operation) => told.push(operation) },
  );
  const error = await refusal(t, store.createVolume({ size: 2 * MiB }, { clientToken: 'token', wait: true }), 'ALREADY_EXISTS');
  t.is(error.resource, id);
  t.deepEqual(error.context, { field: 'clientToken', operationId: told[0] });
  t.is((await store.describeVolumes()).items.length, 1);
});

test('clientToken › calls at once with one token make one volume', async (t) => {
  const { store } = await newStore(t);
  const made = await Promise.all(Array.from({ length: 20 }, () => store.createVolume({ size: MiB }, { clientToken: 'token', wait: true })));
  t.is(new Set(made.map(({ id }) => id)).size, 1);
  t.is((await store.describeVolumes()).items.length, 1);
});

test('clientToken › after 24 h it begins a new operation; a minute before it does not', async (t) => {
  let now = Date.now();
  const { store } = await newStore(t, { services: { clock: { now: () => now } } });
  const first = await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true });
  now += day - 60_000;
  t.is((await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true })).id, first.id);
  now += 120_000;
  const second = await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true });
  t.not(second.id, first.id);
  t.is((await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true })).id, second.id);
});

test('clientToken › of a volume that was deleted answers what the first call did, and blocks nothing', async (t) => {
  const { store } = await newStore(t);
  const first = await store.createVolume({ size: MiB }, { clientToken: 'token', wait: true });
  await store.deleteVolume({ volumeId: first.id }, { clientToken: 'token', wait: true });
  t.deepEqual(await store.createVolume({ size: MiB }, { clientToken: 'token' }), first);
  await store.deleteVolume({ volumeId: first.id }, { clientToken: 'token', wait: true });
  t.not((await store.createVolume({ size: MiB }, { clientToken: 'another', wait: true })).id, first.id);
});

test('clientToken › of a call that was refused before it began is free for the next try', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume();
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await refusal(t, store.deleteVolume({ volumeId: id }, { clientToken: 'token', wait: true }), 'FAILED_PRECONDITION');
  await store.detachVolume({ volumeId: id }, { wait: true });
  await store.deleteVolume({ volumeId: id }, { clientToken: 'token', wait: true });
  t.deepEqual((await store.describeVolumes()).items, []);
});

test('clientToken › of an operation that failed throws its error again, and makes nothing', async (t) => {
  const { store } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') throw new VbsError('RESOURCE_EXHAUSTED', 'the pool is full');
        return go();
      }),
  });
  const create = () => store.createVolume({ size: MiB }, { clientToken: 'token', wait: true });
  await refusal(t, create(), 'RESOURCE_EXHAUSTED');
  await refusal(t, create(), 'RESOURCE_EXHAUSTED');
  t.is((await store.describeVolumes({ state: 'error' })).items.length, 1);
});

test('clientToken › a repeat is answered although what the first call needed is gone since', async (t) => {
  const { store } = await newStore(t);
  const { id } = await store.createVolume({ size: MiB }, { wait: true });
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const fromSnapshot = { size: 2 * MiB, snapshotId: snapshot.id };
  const made = await store.createVolume(fromSnapshot, { clientToken: 'token', wait: true });
  const attach = { volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' };
  const attached = await store.attachVolume(attach, { clientToken: 'token', wait: true });
  await store.deleteSnapshot({ snapshotId: snapshot.id }, { wait: true });
  await store.detachVolume({ volumeId: id }, { wait: true });
  await store.deleteVolume({ volumeId: id }, { wait: true });
  t.deepEqual(await store.createVolume(fromSnapshot, { clientToken: 'token', wait: true }), made);
  t.deepEqual(await store.attachVolume(attach, { clientToken: 'token', wait: true }), attached);
});

test('clientToken › a repeat at another process of the store answers the same', async (t) => {
  const { store, directory } = await newStore(t);
  const other = await newStore(t, { directory });
  const made = await Promise.all(
    [store, other.store, store, other.store].map((one) => one.createVolume({ size: MiB }, { clientToken: 'token', wait: true })),
  );
  t.is(new Set(made.map(({ id }) => id)).size, 1);
});
