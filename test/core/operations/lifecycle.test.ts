import test from 'ava';
import { dump, MiB, newStore, sameBytes, someBytes, vmmHost } from '../../support/store.js';

test('createVolume › answers pending at once, and available with wait; every byte of it reads zero', async (t) => {
  const { store, readFrom } = await newStore(t);
  const pending = await store.createVolume({ size: '4MiB', comment: 'first' });
  t.like(pending, {
    state: 'pending',
    sizeBytes: 4 * MiB,
    requestedBytes: 4 * MiB,
    comment: 'first',
    snapshotId: null,
    backend: 'vs1/files',
  });
  t.regex(pending.id, /^vol-[0-9a-f]{17}$/);
  const available = await store.createVolume({ size: 4 * MiB }, { wait: true });
  t.is(available.state, 'available');
  sameBytes(t, await readFrom(available.id, 0, 4 * MiB), Buffer.alloc(4 * MiB));
});

test('createVolume › rounds up to the granularity, and keeps what was asked for', async (t) => {
  const { store } = await newStore(t);
  const volume = await store.createVolume({ size: 4 * MiB + 1 }, { wait: true });
  t.is(volume.requestedBytes, 4 * MiB + 1);
  t.true(volume.sizeBytes > 4 * MiB + 1);
  t.is(volume.sizeBytes % 512, 0);
});

test('attachVolume › goes through attaching to attached, the volume through attaching to in-use', async (t) => {
  const { store, volume, disk } = await newStore(t);
  const { id } = await volume();
  const attaching = await store.attachVolume({ volumeId: id, vmmHost: 'sandbox.example.org', vmId: 'vm1', device: '/dev/xvdb' });
  t.like(attaching, { state: 'attaching', volumeId: id, vmmHost, vmId: 'vm1', device: '/dev/xvdb', slot: 'xvdb', access: 'read-write' });
  const [during] = (await store.describeVolumes({ ids: [id] })).items;
  t.true(during?.state === 'attaching' || during?.state === 'in-use');
  const { items } = await store.describeOperations({ resourceId: attaching.id });
  await store.waitForOperation(items[0]?.id ?? '');
  const [attached] = (await store.describeAttachments({ volumeId: id })).items;
  t.like(attached, { state: 'attached', connection: { protocol: 'nbd' } });
  const [after] = (await store.describeVolumes({ ids: [id] })).items;
  t.is(after?.state, 'in-use');
  t.is(after?.attachments[0]?.id, attached?.id);
  t.is(disk('vm1', 'xvdb').sizeBytes, 4 * MiB);
});

test('detachVolume › leaves the data, which another VM reads', async (t) => {
  const { store, volume, disk } = await newStore(t);
  const { id } = await volume();
  const bytes = someBytes(MiB);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await disk('vm1', 'xvdb').write(MiB, bytes);
  await disk('vm1', 'xvdb').flush();
  const detached = await store.detachVolume({ volumeId: id }, { wait: true });
  t.like(detached, { state: 'detached', connection: null, reason: null });
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm2', device: 'xvdc' }, { wait: true });
  sameBytes(t, await disk('vm2', 'xvdc').read(MiB, MiB), bytes);
});

test('detachVolume › of a volume that is not attached is FAILED_PRECONDITION', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume();
  await t.throwsAsync(store.detachVolume({ volumeId: id }), { code: 'FAILED_PRECONDITION', message: /is not attached/ });
});

test('attachVolume › to a slot that is taken is FAILED_PRECONDITION that names its holder, however the device is written', async (t) => {
  const { store, volume } = await newStore(t);
  const [first, second] = [await volume(), await volume()];
  const { id: attachmentId } = await store.attachVolume({ volumeId: first.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const refused = await t.throwsAsync(store.attachVolume({ volumeId: second.id, vmmHost, vmId: 'vm1', device: '/dev/xvdb' }), {
    code: 'FAILED_PRECONDITION',
  });
  t.like(refused, { resource: first.id, context: { field: 'device', attachments: [attachmentId] } });
  t.is((await store.describeVolumes({ ids: [second.id] })).items[0]?.state, 'available');
});

test('attachVolume › of two at once to one slot, one is attached and the other refused', async (t) => {
  const { store, volume } = await newStore(t);
  const volumes = [await volume(), await volume()];
  const results = await Promise.allSettled(
    volumes.map(({ id }) => store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true })),
  );
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  const refused = results.find((result) => result.status === 'rejected');
  t.is(refused?.reason?.code, 'FAILED_PRECONDITION');
});

test('attachVolume › of two at once of one volume, one is attached and the other refused', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume();
  const results = await Promise.allSettled(
    ['vm1', 'vm2'].map((vmId) => store.attachVolume({ volumeId: id, vmmHost, vmId, device: 'xvdb' }, { wait: true })),
  );
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  const refused = results.find((result) => result.status === 'rejected');
  t.true(['ABORTED', 'FAILED_PRECONDITION'].includes(refused?.reason?.code));
});

test('attachVolume › with ifBusy wait waits for the operation that holds the volume, and then looks again', async (t) => {
  const { store } = await newStore(t);
  const { id } = await store.createVolume({ size: MiB });
  const attached = await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true, ifBusy: 'wait' });
  t.is(attached.state, 'attached');
});

test('deleteVolume › of an attached volume is FAILED_PRECONDITION that names the attachment', async (t) => {
  const { store, volume, directory } = await newStore(t);
  const { id } = await volume();
  const { id: attachmentId } = await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const before = await dump(directory);
  const refused = await t.throwsAsync(store.deleteVolume({ volumeId: id }, { wait: true }), { code: 'FAILED_PRECONDITION' });
  t.like(refused, { resource: id, context: { attachments: [attachmentId] } });
  t.deepEqual(await dump(directory), before);
});

test('deleteVolume › of a volume that was attached before forgets it, and describing it is NOT_FOUND that names it', async (t) => {
  const { store, volume, writeTo } = await newStore(t);
  const { id } = await volume();
  await writeTo(id, 0, someBytes(512));
  await store.deleteVolume({ volumeId: id }, { wait: true });
  const gone = await t.throwsAsync(store.describeVolumes({ ids: [id] }), { code: 'NOT_FOUND' });
  t.like(gone, { resource: id, context: { field: 'ids', ids: [id] } });
  t.deepEqual((await store.describeVolumes()).items, []);
  await t.throwsAsync(store.deleteVolume({ volumeId: id }, { wait: true }), { code: 'NOT_FOUND' });
});

test('an attachment outlives the store: after close and open the guest has its disk again, with its data', async (t) => {
  const first = await newStore(t);
  const { id } = await first.volume();
  await first.store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const bytes = someBytes(MiB);
  await first.disk('vm1', 'xvdb').write(0, bytes);
  await first.disk('vm1', 'xvdb').flush();
  await first.store.close();
  const second = await newStore(t, { directory: first.directory });
  t.is((await second.store.describeVolumes({ ids: [id] })).items[0]?.state, 'in-use');
  sameBytes(t, await second.disk('vm1', 'xvdb').read(0, MiB), bytes);
});
