import type { Volume } from '@vbs/core';
import test from 'ava';
import { newStore, refusal, vmmHost } from '../../support/store.js';

test('describeVolumes › a walk in pages meets every one of 250 volumes once, while others are made and deleted', async (t) => {
  const { store } = await newStore(t);
  const made: string[] = [];
  for (let batch = 0; batch < 10; batch += 1) {
    const volumes = await Promise.all(Array.from({ length: 25 }, () => store.createVolume({ size: 4096 }, { wait: true })));
    made.push(...volumes.map(({ id }) => id));
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 100; pages += 1) {
    const page = await store.describeVolumes({ limit: 30, ...(cursor === undefined ? {} : { cursor }) });
    t.true(page.items.length <= 30);
    seen.push(...page.items.map(({ id }) => id));
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
    if (pages < 3) await store.createVolume({ size: 4096 }, { wait: true });
    if (pages === 1) await store.deleteVolume({ volumeId: seen[0] ?? '' }, { wait: true });
  }
  t.is(new Set(seen).size, seen.length);
  t.deepEqual(
    made.filter((id) => !seen.includes(id)),
    [],
  );
  t.is(seen.length, 253);
});

test('describeVolumes › without a limit answers 100 and a cursor; the last page has none', async (t) => {
  const { store } = await newStore(t);
  for (let batch = 0; batch < 4; batch += 1)
    await Promise.all(Array.from({ length: 26 }, () => store.createVolume({ size: 4096 }, { wait: true })));
  const first = await store.describeVolumes();
  t.is(first.items.length, 100);
  const last = await store.describeVolumes({ cursor: first.nextCursor ?? '' });
  t.is(last.items.length, 4);
  t.is(last.nextCursor, null);
  t.is((await store.describeVolumes({ limit: 104 })).nextCursor, null);
});

test('describeVolumes › by state answers those alone, and by ids those in the order they were made', async (t) => {
  const { store, volume } = await newStore(t);
  const [one, two, three] = [await volume(), await volume(), await volume()] as const;
  await store.attachVolume({ volumeId: two.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const idsOf = (volumes: readonly Volume[]) => volumes.map(({ id }) => id);
  t.deepEqual(idsOf((await store.describeVolumes({ state: 'in-use' })).items), [two.id]);
  t.deepEqual(idsOf((await store.describeVolumes({ state: 'available' })).items), [one.id, three.id]);
  t.deepEqual(idsOf((await store.describeVolumes({ ids: [three.id, one.id, one.id] })).items), [one.id, three.id]);
  t.deepEqual((await store.describeVolumes({ ids: [] })).items, []);
  t.deepEqual(idsOf((await store.describeVolumes({ ids: [one.id, two.id], state: 'in-use' })).items), [two.id]);
});

test('describe › of unknown ids is NOT_FOUND that says which', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume();
  const unknown = ['vol-00000000000000000', 'vol-11111111111111111'];
  const error = await refusal(t, store.describeVolumes({ ids: [id, ...unknown] }), 'NOT_FOUND');
  t.deepEqual(error.context, { field: 'ids', ids: unknown });
  t.regex(error.message, /vol-00000000000000000, vol-11111111111111111/);
});

test('describeAttachments › tells live and past ones, of one volume or all', async (t) => {
  const { store, volume } = await newStore(t);
  const [one, two] = [await volume(), await volume()];
  await store.attachVolume({ volumeId: one.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await store.detachVolume({ volumeId: one.id }, { wait: true });
  await store.attachVolume({ volumeId: one.id, vmmHost, vmId: 'vm2', device: 'xvdb' }, { wait: true });
  await store.attachVolume({ volumeId: two.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  t.deepEqual(
    (await store.describeAttachments({ volumeId: one.id })).items.map(({ state, vmId }) => [state, vmId]),
    [
      ['detached', 'vm1'],
      ['attached', 'vm2'],
    ],
  );
  t.is((await store.describeAttachments({ state: 'attached' })).items.length, 2);
  t.is((await store.describeVolumes({ ids: [one.id] })).items[0]?.attachments.length, 1);
});

test('describeOperations and describeJournal › tell what was done, step by step', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume();
  let operationId = '';
  const { id: attachmentId } = await store.attachVolume(
    { volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' },
    {
      wait: true,
      onOperation: (begun) => {
        operationId = begun;
      },
    },
  );
  t.like((await store.describeOperations({ resourceId: attachmentId })).items, {
    length: 1,
    0: { id: operationId, kind: 'attach-volume', state: 'succeeded' },
  });
  t.deepEqual(
    (await store.describeJournal(operationId)).map(({ step, act, outcome }) => `${act} ${step} ${outcome}`),
    ['do create-export intended', 'do create-export done', 'do attach-device intended', 'do attach-device done'],
  );
  t.is((await store.describeOperations({ state: 'succeeded' })).items.length, 2);
});

test('listRoutes and check › tell how volumes reach VMs, and that nothing is missing', async (t) => {
  const { store } = await newStore(t);
  t.like(store.listRoutes(), { length: 1, 0: { backend: 'vs1/files' } });
  const checked = await store.check();
  t.deepEqual([...checked.keys()].sort(), ['sandbox/hypervisor', 'vs1/files', 'vs1/nbd']);
  t.deepEqual([...checked.values()].flat(), []);
});
