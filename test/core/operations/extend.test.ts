import { VbsError } from '@vbs/core';
import test from 'ava';
import { intercepting } from '../../support/intercept.js';
import { MiB, newStore, refusal, sameBytes, someBytes, vmmHost } from '../../support/store.js';

test('extendVolume › of an attached volume shows the guest its new size, its data, and zeros behind', async (t) => {
  const { store, volume, disk } = await newStore(t);
  const { id } = await volume(MiB);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const bytes = someBytes(MiB);
  await disk('vm1', 'xvdb').write(0, bytes);
  const extended = await store.extendVolume({ volumeId: id, size: '3MiB' }, { wait: true });
  t.like(extended, { state: 'in-use', sizeBytes: 3 * MiB, requestedBytes: 3 * MiB });
  t.is(disk('vm1', 'xvdb').sizeBytes, 3 * MiB);
  sameBytes(t, await disk('vm1', 'xvdb').read(0, 3 * MiB), Buffer.concat([bytes, Buffer.alloc(2 * MiB)]));
  await disk('vm1', 'xvdb').write(3 * MiB - 512, someBytes(512));
  await disk('vm1', 'xvdb').flush();
});

test('extendVolume › of a detached volume, then attached, is as large', async (t) => {
  const { store, volume, readFrom } = await newStore(t);
  const { id } = await volume(MiB);
  t.like(await store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true }), { state: 'available', sizeBytes: 2 * MiB });
  sameBytes(t, await readFrom(id, MiB, MiB), Buffer.alloc(MiB));
});

test('extendVolume › to the size that it has changes nothing; to a smaller one is OUT_OF_RANGE', async (t) => {
  const { store, volume } = await newStore(t);
  const { id } = await volume(2 * MiB);
  t.is((await store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true })).sizeBytes, 2 * MiB);
  const error = await refusal(t, store.extendVolume({ volumeId: id, size: MiB }, { wait: true }), 'OUT_OF_RANGE');
  t.deepEqual(error.context, { field: 'size', leastBytes: 2 * MiB });
});

test('extendVolume › several readers all see the new size', async (t) => {
  const { store, volume, disk } = await newStore(t);
  const { id } = await volume(MiB);
  for (const vmId of ['vm1', 'vm2'])
    await store.attachVolume({ volumeId: id, vmmHost, vmId, device: 'xvdb', access: 'read-only' }, { wait: true });
  await store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true });
  for (const vmId of ['vm1', 'vm2']) t.is(disk(vmId, 'xvdb').sizeBytes, 2 * MiB);
});

test('extendVolume › that the backend refuses leaves the volume as it was', async (t) => {
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'extendVolume') throw new VbsError('RESOURCE_EXHAUSTED', 'the pool is full');
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await refusal(t, store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true }), 'RESOURCE_EXHAUSTED');
  t.like((await store.describeVolumes({ ids: [id] })).items[0], { state: 'available', sizeBytes: MiB, requestedBytes: MiB });
});
