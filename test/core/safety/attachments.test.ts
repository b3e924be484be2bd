import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { MiB, refusal, until, vmmHost } from '../../support/store.js';
import { attachmentOf, hookedStore, operationOf, place, restful, unhappy, volumeOf, wait } from './fixture.js';

test('F2 › a volume file that is missing does not make the VM gone: the attachment stays', async (t) => {
  const first = await hookedStore(t, ({ go }) => go());
  const { id: volumeId } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId, ...place }, wait);
  await first.store.close();
  const pool = join(first.directory, 'pool');
  const name = (await readdir(pool, { recursive: true })).find((found) => found.includes(volumeId)) ?? '';
  await rename(join(pool, name), join(first.directory, 'moved'));

  let tries = 0;
  const { store, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'ensureExports') tries += 1;
      return go();
    },
    { directory: first.directory, times: { restoreMs: 50 } },
  );
  await until('two tries', () => tries >= 2);
  t.is((await attachmentOf(store, volumeId))?.state, 'attached');
  t.not((await volumeOf(store, volumeId))?.state, 'available');
  await rename(join(first.directory, 'moved'), join(pool, name));
  await until('restored', () => vm('vm1').devices().length === 1);
});

test('F2 › an attachment that cannot be restored is tried again with growing pauses', async (t) => {
  const first = await hookedStore(t, ({ go }) => go());
  const { id: volumeId } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId, ...place }, wait);
  await first.store.close();
  const at: number[] = [];
  const { store } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method !== 'ensureExports') return go();
      at.push(performance.now());
      throw new VbsError('PERMISSION_DENIED', 'the file is for root alone');
    },
    { directory: first.directory, times: { restoreMs: 60 } },
  );
  await until('six tries', () => at.length >= 6);
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  t.true(
    gaps.slice(0, 5).every((gap, index) => gap >= 60 * 2 ** index),
    gaps.join(),
  );
  t.like(await attachmentOf(store, volumeId), { state: 'attached', reason: 'PERMISSION_DENIED: the file is for root alone' });
});

test('A6 › a volume in error stays in error through a detach and an attach that is refused, until reset-state', async (t) => {
  let sleeps = true;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && method === 'extendExport') throw new VbsError('UNAVAILABLE', 'the exporter sleeps');
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => store.extendVolume({ volumeId, size: 2 * MiB }, options));
  await store.abandonOperation(operationId);
  const { state, reason } = (await volumeOf(store, volumeId)) ?? {};
  t.is(state, 'error');
  sleeps = false;
  await store.detachVolume({ volumeId }, wait);
  t.like(await volumeOf(store, volumeId), { state: 'error', reason: reason ?? '' });
  await refusal(t, store.attachVolume({ volumeId, ...place }, wait), 'FAILED_PRECONDITION');
  t.is((await store.resetState({ volumeId }, wait)).state, 'available');
  t.is((await store.attachVolume({ volumeId, ...place }, wait)).state, 'attached');
});

test('A6 › a volume in error stays in error when its attachment is restored', async (t) => {
  let sleeps = true;
  const first = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && method === 'extendExport') throw new VbsError('UNAVAILABLE', 'the exporter sleeps');
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => first.store.extendVolume({ volumeId, size: 2 * MiB }, options));
  await first.store.abandonOperation(operationId);
  sleeps = false;
  await first.store.close();
  const { store, vm } = await hookedStore(t, ({ go }) => go(), { directory: first.directory });
  await until('restored', () => vm('vm1').devices().length === 1);
  await until('at rest', async () => (await store.describeOperations({ state: 'running' })).items.length === 0);
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  t.is((await attachmentOf(store, volumeId))?.state, 'attached');
});

const instances = { i1: { vmmHost, vmId: 'vm1' } };
const toInstance = { instanceId: 'i1', device: 'xvdb' } as const;

test('E3 › a resolver that is down for a moment after the disk is in the VM does not take it out', async (t) => {
  let asked = 0;
  const { store, volume, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'resolveInstance') {
        asked += 1;
        if (asked === 2) throw new VbsError('UNAVAILABLE', 'the cloud controller restarts');
      }
      return go();
    },
    { instances },
  );
  const { id: volumeId } = await volume(MiB);
  let left = 0;
  const { operationId } = await unhappy((options) => store.attachVolume({ volumeId, ...toInstance }, options));
  await until('attached', async () => {
    if (vm('vm1').devices().length === 0) left += 1;
    return (await attachmentOf(store, volumeId))?.state === 'attached';
  });
  t.is(left, 0);
  t.is((await operationOf(store, operationId))?.state, 'succeeded');
  t.is((await volumeOf(store, volumeId))?.state, 'in-use');
});

test('E3 › a disk whose instance moved while it was attached is taken out of the VM', async (t) => {
  let asked = 0;
  const { store, volume, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      const answer = await go();
      if (method === 'resolveInstance') asked += 1;
      return method === 'resolveInstance' && asked === 2 ? { ...(answer as object), vmId: 'vm2' } : answer;
    },
    { instances },
  );
  const { id: volumeId } = await volume(MiB);
  const { context } = await refusal(t, store.attachVolume({ volumeId, ...toInstance }, wait), 'FAILED_PRECONDITION');
  t.is(context.reason, 'instance-moved');
  t.deepEqual([vm('vm1').devices(), vm('vm2').devices()], [[], []]);
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});

test('A3 › an export that belongs to somebody else is not deleted by the attach that met it', async (t) => {
  let deletes = 0;
  const { store, volume } = await hookedStore(t, async ({ method, go }) => {
    if (method === 'deleteExport') deletes += 1;
    if (method !== 'createExport') return go();
    await go();
    throw new VbsError('ALREADY_EXISTS', 'this export serves another volume');
  });
  const { id: volumeId } = await volume(MiB);
  await refusal(t, store.attachVolume({ volumeId, ...place }, wait), 'ALREADY_EXISTS');
  t.is(deletes, 0);
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});
