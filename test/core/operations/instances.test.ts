import test from 'ava';
import { intercepting } from '../../support/intercept.js';
import { MiB, newStore, refusal, vmmHost } from '../../support/store.js';

const instances = { 'i-1': { vmmHost: 'sandbox.example.org', vmId: 'vm1' }, 'i-2': { vmmHost, vmId: 'vm2' } };

test('attachVolume › to an instance goes where its resolver says it runs', async (t) => {
  const { store, volume, vm } = await newStore(t, { instances });
  const { id } = await volume(MiB);
  const attached = await store.attachVolume({ volumeId: id, instanceId: 'i-1', device: 'xvdb' }, { wait: true });
  t.like(attached, { state: 'attached', instanceId: 'i-1', vmmHost, vmId: 'vm1' });
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
});

test('attachVolume › to an unknown instance is NOT_FOUND, and makes nothing', async (t) => {
  const { store, volume } = await newStore(t, { instances });
  const { id } = await volume(MiB);
  const error = await refusal(t, store.attachVolume({ volumeId: id, instanceId: 'i-3', device: 'xvdb' }), 'NOT_FOUND');
  t.is(error.context.field, 'instanceId');
  t.deepEqual((await store.describeAttachments()).items, []);
});

test('attachVolume › to an instance that moved meanwhile is taken back', async (t) => {
  let moved = false;
  const { store, volume, vm } = await newStore(t, {
    instances,
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'attachDevice') moved = true;
        if (method === 'resolveInstance' && moved) return { instanceId: 'i-1', vmmHost, vmId: 'vm2' };
        return go();
      }),
  });
  const { id } = await volume(MiB);
  const error = await refusal(
    t,
    store.attachVolume({ volumeId: id, instanceId: 'i-1', device: 'xvdb' }, { wait: true }),
    'FAILED_PRECONDITION',
  );
  t.is(error.context.reason, 'instance-moved');
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual(vm('vm2').devices(), []);
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
  t.like((await store.describeAttachments()).items, { length: 1, 0: { state: 'detached', connection: null } });
  t.deepEqual((await store.reconcile()).differences, []);
  moved = false;
});
