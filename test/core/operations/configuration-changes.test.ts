import { join } from 'node:path';
import test from 'ava';
import { MiB, newDirectory, newStore, refusal, sameBytes, someBytes, until, vmmHost } from '../../support/store.js';

const exporters = { nbd: { plugin: 'nbd', port: 0 } };

/** Two backends on one volume server, `fast` and `slow`. */
function twoBackends(directory: string, isDefault: boolean) {
  const backend = (name: string) => ({ plugin: 'file', directory: join(directory, name) });
  return { volumeServers: { vs1: { exporters, backends: { fast: { ...backend('fast'), default: isDefault }, slow: backend('slow') } } } };
}

test('createVolume › goes to the backend that is named, or the default', async (t) => {
  const directory = await newDirectory(t);
  const { store } = await newStore(t, { directory, configuration: twoBackends(directory, true) });
  t.is((await store.createVolume({ size: MiB }, { wait: true })).backend, 'vs1/fast');
  t.is((await store.createVolume({ size: MiB, backend: 'vs1/slow' }, { wait: true })).backend, 'vs1/slow');
});

test('createVolume › without a default says which backends there are', async (t) => {
  const directory = await newDirectory(t);
  const { store } = await newStore(t, { directory, configuration: twoBackends(directory, false) });
  const error = await refusal(t, store.createVolume({ size: MiB }), 'FAILED_PRECONDITION');
  t.deepEqual(error.context, { field: 'backend', backends: ['vs1/fast', 'vs1/slow'] });
});

test('createVolume › goes where the embedder’s own placement says', async (t) => {
  const directory = await newDirectory(t);
  const placement = {
    choose: async (_: unknown, backends: readonly { readonly name: string }[]) => backends.find(({ name }) => name === 'vs1/slow') as never,
  };
  const { store } = await newStore(t, { directory, configuration: twoBackends(directory, true), services: { placement } });
  t.is((await store.createVolume({ size: MiB }, { wait: true })).backend, 'vs1/slow');
});

test('createVolume › from a snapshot stays on the snapshot’s backend, and another one is refused', async (t) => {
  const directory = await newDirectory(t);
  const { store } = await newStore(t, { directory, configuration: twoBackends(directory, true) });
  const { id } = await store.createVolume({ size: MiB, backend: 'vs1/slow' }, { wait: true });
  const { id: snapshotId } = await store.createSnapshot({ volumeId: id }, { wait: true });
  t.is((await store.createVolume({ snapshotId }, { wait: true })).backend, 'vs1/slow');
  const error = await refusal(t, store.createVolume({ snapshotId, backend: 'vs1/fast' }), 'FAILED_PRECONDITION');
  t.is(error.context.field, 'backend');
});

test('a volume whose backend is not configured any more is described, refuses what needs it, and works when it is put back', async (t) => {
  const directory = await newDirectory(t);
  const first = await newStore(t, { directory, configuration: twoBackends(directory, true) });
  const { id } = await first.store.createVolume({ size: MiB, backend: 'vs1/slow' }, { wait: true });
  const bytes = someBytes(MiB);
  await first.writeTo(id, 0, bytes);
  const { id: snapshotId } = await first.store.createSnapshot({ volumeId: id }, { wait: true });
  await first.store.close();

  const { fast } = twoBackends(directory, true).volumeServers.vs1.backends;
  const without = await newStore(t, { directory, configuration: { volumeServers: { vs1: { exporters, backends: { fast } } } } });
  t.is((await without.store.describeVolumes({ ids: [id] })).items[0]?.backend, 'vs1/slow');
  for (const refused of [
    without.store.deleteVolume({ volumeId: id }, { wait: true }),
    without.store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true }),
    without.store.createSnapshot({ volumeId: id }, { wait: true }),
    without.store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true }),
    without.store.createVolume({ snapshotId }, { wait: true }),
    without.store.deleteSnapshot({ snapshotId }, { wait: true }),
  ]) {
    const error = await refusal(t, refused, 'FAILED_PRECONDITION');
    t.regex(error.message, /vs1\/slow is not in the configuration any more/);
  }
  t.is((await without.store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
  t.is((await without.store.describeSnapshots({ ids: [snapshotId] })).items[0]?.state, 'completed');
  await without.store.close();

  const again = await newStore(t, { directory, configuration: twoBackends(directory, true) });
  sameBytes(t, await again.readFrom(id, 0, MiB), bytes);
});

test('an attachment whose VM is gone at the next start is detached with that reason, and its volume is free', async (t) => {
  const first = await newStore(t);
  const { id } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await first.store.close();
  const { store } = await newStore(t, { directory: first.directory, vms: { vm2: {} } });
  await until('available', async () => (await store.describeVolumes({ ids: [id] })).items[0]?.state === 'available');
  t.regex((await store.describeAttachments({ volumeId: id })).items[0]?.reason ?? '', /the VM vm1 is gone from sandbox/);
  t.deepEqual((await store.reconcile()).differences, []);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm2', device: 'xvdb' }, { wait: true });
});

test('an attachment whose node is not configured any more stays, refuses a detach, and goes with a node that is said to be dead', async (t) => {
  const first = await newStore(t);
  const { id } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await first.store.close();
  const { store } = await newStore(t, { directory: first.directory, configuration: { vmmNodes: {} } });
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'in-use');
  await refusal(t, store.detachVolume({ volumeId: id }, { wait: true }), 'FAILED_PRECONDITION');
  await refusal(t, store.extendVolume({ volumeId: id, size: 2 * MiB }, { wait: true }), 'FAILED_PRECONDITION');
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'in-use');
  await store.detachVolume({ volumeId: id, force: true, nodeIsDead: true }, { wait: true });
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
});

test('two backends on one directory are refused, and a store cannot take the pool of its own other backend', async (t) => {
  const directory = await newDirectory(t);
  const backends = {
    one: { plugin: 'file', directory: join(directory, 'pool') },
    two: { plugin: 'file', directory: join(directory, 'pool') },
  };
  const error = await t.throwsAsync(newStore(t, { directory, configuration: { volumeServers: { vs1: { exporters, backends } } } }));
  t.regex(error?.message ?? '', /is the pool of this store's backend vs1\/(one|two)/);
});
