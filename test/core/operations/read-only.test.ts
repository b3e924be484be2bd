import test from 'ava';
import { MiB, newStore, refusal, sameBytes, someBytes, vmmHost } from '../../support/store.js';

const readOnly = { vmmHost, access: 'read-only' } as const;

test('attachVolume › read-only, several VMs read the same bytes, and no guest can write', async (t) => {
  const { store, volume, writeTo, disk } = await newStore(t);
  const { id } = await volume(MiB);
  const bytes = someBytes(MiB);
  await writeTo(id, 0, bytes);
  for (const [vmId, device] of [
    ['vm1', 'xvdb'],
    ['vm2', 'xvdb'],
    ['vm2', 'xvdc'],
  ] as const) {
    const attached = await store.attachVolume({ ...readOnly, volumeId: id, vmId, device }, { wait: true });
    t.is(attached.access, 'read-only');
    t.true(disk(vmId, device).readOnly);
    sameBytes(t, await disk(vmId, device).read(0, MiB), bytes);
    await refusal(t, disk(vmId, device).write(0, Buffer.alloc(512)), 'PERMISSION_DENIED');
  }
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.attachments.length, 3);
  sameBytes(t, await disk('vm1', 'xvdb').read(0, MiB), bytes);
});

test('attachVolume › a writer is refused while a reader is attached, and a reader while a writer is', async (t) => {
  const { store, volume } = await newStore(t);
  const [read, written] = [await volume(MiB), await volume(MiB)];
  const reader = await store.attachVolume({ ...readOnly, volumeId: read.id, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const writer = await store.attachVolume({ vmmHost, volumeId: written.id, vmId: 'vm1', device: 'xvdc' }, { wait: true });
  const second = { vmmHost, vmId: 'vm2', device: 'xvdb' };
  const refusedWriter = await refusal(t, store.attachVolume({ ...second, volumeId: read.id }), 'FAILED_PRECONDITION');
  t.deepEqual(refusedWriter.context.attachments, [reader.id]);
  const refusedReader = await refusal(t, store.attachVolume({ ...second, ...readOnly, volumeId: written.id }), 'FAILED_PRECONDITION');
  t.deepEqual(refusedReader.context.attachments, [writer.id]);
});

test('detachVolume › of one of several readers must say which, and leaves the others', async (t) => {
  const { store, volume, disk, vm } = await newStore(t);
  const { id } = await volume(MiB);
  const one = await store.attachVolume({ ...readOnly, volumeId: id, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const other = await store.attachVolume({ ...readOnly, volumeId: id, vmId: 'vm2', device: 'xvdb' }, { wait: true });
  const error = await refusal(t, store.detachVolume({ volumeId: id }), 'FAILED_PRECONDITION');
  t.deepEqual(error.context, { field: 'attachmentId', attachments: [one.id, other.id] });
  await store.detachVolume({ volumeId: id, attachmentId: one.id }, { wait: true });
  t.deepEqual(vm('vm1').devices(), []);
  t.is((await disk('vm2', 'xvdb').read(0, 512)).length, 512);
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'in-use');
  await store.detachVolume({ volumeId: id }, { wait: true });
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
});
