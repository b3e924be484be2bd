import test from 'ava';
import { cannotMount, mountXfs, noXfs } from '../../plugins/file/mounts.js';
import { intercepting } from '../../support/intercept.js';
import { gate, MiB, newStore, refusal, sameBytes, someBytes, until, vmmHost } from '../../support/store.js';

test('createSnapshot › is pending at first, then completed, with the size and name of its volume', async (t) => {
  const hold = gate();
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createSnapshot') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(4 * MiB);
  const pending = await store.createSnapshot({ volumeId: id, comment: 'before the upgrade' });
  t.like(pending, { state: 'pending', volumeId: id, sizeBytes: 4 * MiB, comment: 'before the upgrade', backend: 'vs1/files' });
  await refusal(t, store.createVolume({ snapshotId: pending.id }), 'ABORTED');
  hold.open();
  await until('completed', async () => (await store.describeSnapshots({ ids: [pending.id] })).items[0]?.state === 'completed');
});

test('createSnapshot › keeps the content of its instant, whatever is written afterwards', async (t) => {
  const { store, volume, writeTo, readFrom } = await newStore(t);
  const { id } = await volume();
  const [first, second] = [someBytes(MiB), someBytes(MiB)];
  await writeTo(id, MiB, first);
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  await writeTo(id, MiB, second);
  const copy = await store.createVolume({ snapshotId: snapshot.id }, { wait: true });
  t.like(copy, { state: 'available', snapshotId: snapshot.id, sizeBytes: 4 * MiB });
  sameBytes(t, await readFrom(copy.id, MiB, MiB), first);
  await writeTo(copy.id, MiB, someBytes(MiB));
  sameBytes(t, await readFrom(id, MiB, MiB), second);
  sameBytes(t, await readFrom((await store.createVolume({ snapshotId: snapshot.id }, { wait: true })).id, MiB, MiB), first);
});

test('createVolume › from a snapshot and larger than it reads zeros behind its data', async (t) => {
  const { store, volume, writeTo, readFrom } = await newStore(t);
  const { id } = await volume(MiB);
  const bytes = someBytes(MiB);
  await writeTo(id, 0, bytes);
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const larger = await store.createVolume({ snapshotId: snapshot.id, size: '3MiB' }, { wait: true });
  sameBytes(t, await readFrom(larger.id, 0, 3 * MiB), Buffer.concat([bytes, Buffer.alloc(2 * MiB)]));
});

test('createVolume › from a snapshot and smaller than it is OUT_OF_RANGE with the least legal size', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume(2 * MiB);
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const error = await refusal(t, store.createVolume({ snapshotId: snapshot.id, size: MiB }), 'OUT_OF_RANGE');
  t.deepEqual(error.context, { field: 'size', leastBytes: 2 * MiB });
});

test('createVolume › from a snapshot is pending while it fills; the snapshot cannot be deleted meanwhile', async (t) => {
  const hold = gate();
  const { store, volume, writeTo } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'populateVolume') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await writeTo(id, 0, someBytes(MiB));
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const filling = await store.createVolume({ snapshotId: snapshot.id });
  t.is(filling.state, 'pending');
  await refusal(t, store.attachVolume({ volumeId: filling.id, vmmHost, vmId: 'vm1', device: 'xvdb' }), 'ABORTED');
  await refusal(t, store.deleteSnapshot({ snapshotId: snapshot.id }), 'ABORTED');
  const second = store.createVolume({ snapshotId: snapshot.id }, { wait: true });
  hold.open();
  t.is((await second).state, 'available');
  await store.deleteSnapshot({ snapshotId: snapshot.id }, { ifBusy: 'wait', wait: true });
  await refusal(t, store.describeSnapshots({ ids: [snapshot.id] }), 'NOT_FOUND');
});

test('deleteVolume › with snapshots of files, which need no volume, leaves them whole', async (t) => {
  const { store, volume, writeTo, readFrom } = await newStore(t);
  const { id } = await volume(MiB);
  const bytes = someBytes(MiB);
  await writeTo(id, 0, bytes);
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  await store.deleteVolume({ volumeId: id }, { wait: true });
  const copy = await store.createVolume({ snapshotId: snapshot.id }, { wait: true });
  sameBytes(t, await readFrom(copy.id, 0, MiB), bytes);
  await store.deleteSnapshot({ snapshotId: snapshot.id }, { wait: true });
  sameBytes(t, await readFrom(copy.id, 0, MiB), bytes);
});

test('createSnapshot › of a volume attached for writing, where files cannot share blocks, is refused and names the attachment', async (t) => {
  const { store, volume } = await newStore(t);
  if ((await store.check()).size === 0) t.fail('no instances');
  const { id } = await volume(MiB);
  const { id: attachmentId } = await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const error = await refusal(t, store.createSnapshot({ volumeId: id }), 'FAILED_PRECONDITION');
  t.like(error, { resource: id, context: { attachments: [attachmentId] } });
  t.deepEqual((await store.describeSnapshots()).items, []);
});

test('createSnapshot › of a volume attached read-only alone is taken', async (t) => {
  const { store, volume, writeTo, readFrom } = await newStore(t);
  const { id } = await volume(MiB);
  const bytes = someBytes(MiB);
  await writeTo(id, 0, bytes);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb', access: 'read-only' }, { wait: true });
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const copy = await store.createVolume({ snapshotId: snapshot.id }, { wait: true });
  sameBytes(t, await readFrom(copy.id, 0, MiB), bytes);
});

test('attachVolume › for writing while a snapshot is taken is ABORTED', async (t) => {
  const hold = gate();
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createSnapshot') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await store.createSnapshot({ volumeId: id });
  await refusal(t, store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }), 'ABORTED');
  hold.open();
});

const withoutXfs = noXfs || cannotMount;
(withoutXfs ? test.skip : test)(
  `createSnapshot › of a volume attached for writing, on XFS, holds every flushed write and none after the answer${withoutXfs && ` (skipped: ${withoutXfs})`}`,
  async (t) => {
    const { store, volume, disk, readFrom } = await newStore(t, { directory: await mountXfs(t) });
    const { id } = await volume(4 * MiB);
    await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
    const before = someBytes(MiB);
    await disk('vm1', 'xvdb').write(0, before);
    await disk('vm1', 'xvdb').flush();
    const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
    await disk('vm1', 'xvdb').write(0, someBytes(MiB));
    await disk('vm1', 'xvdb').flush();
    const copy = await store.createVolume({ snapshotId: snapshot.id }, { wait: true });
    sameBytes(t, await readFrom(copy.id, 0, MiB), before);
  },
);
