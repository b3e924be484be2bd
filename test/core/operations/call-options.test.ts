import test from 'ava';
import { intercepting } from '../../support/intercept.js';
import { gate, MiB, newStore, refusal, someBytes, until, vmmHost } from '../../support/store.js';

test('signal › aborted, ends the waiting and not the operation', async (t) => {
  const hold = gate();
  const { store } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'createVolume') await hold.opened;
        return go();
      }),
  });
  const controller = new AbortController();
  const reason = new Error('the client went away');
  const begun = gate();
  const created = store.createVolume({ size: MiB }, { wait: true, signal: controller.signal, onOperation: begun.open });
  await begun.opened;
  controller.abort(reason);
  t.is(await t.throwsAsync(created), reason);
  hold.open();
  const [volume] = (await store.describeVolumes()).items;
  await until('the volume is available', async () => (await store.describeVolumes()).items[0]?.state === 'available');
  t.is((await store.describeVolumes()).items[0]?.id, volume?.id);
});

test('signal › aborted before the call begins nothing when it waits for a busy resource', async (t) => {
  const hold = gate();
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'extendVolume') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await store.extendVolume({ volumeId: id, size: 2 * MiB });
  const controller = new AbortController();
  const deleted = store.deleteVolume({ volumeId: id }, { ifBusy: 'wait', wait: true, signal: controller.signal });
  controller.abort(new Error('gone'));
  await t.throwsAsync(deleted, { message: 'gone' });
  hold.open();
  await until('extended', async () => (await store.describeVolumes({ ids: [id] })).items[0]?.sizeBytes === 2 * MiB);
  t.is((await store.describeOperations({ resourceId: id, state: 'succeeded' })).items.length, 2);
});

test('ifBusy › abort, the default, is ABORTED that names the operation that holds the volume', async (t) => {
  const hold = gate();
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'extendVolume') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  let holder = '';
  await store.extendVolume(
    { volumeId: id, size: 2 * MiB },
    {
      onOperation: (operation) => {
        holder = operation;
      },
    },
  );
  const error = await refusal(t, store.deleteVolume({ volumeId: id }), 'ABORTED');
  t.like(error, { resource: id, retry: 'backoff', context: { operationId: holder } });
  hold.open();
});

test('ifBusy › wait ends with ABORTED when the holder takes longer than the limit', async (t) => {
  const hold = gate();
  const { store, volume } = await newStore(t, {
    overrides: { times: { busyLimitMs: 100 } },
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'extendVolume') await hold.opened;
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await store.extendVolume({ volumeId: id, size: 2 * MiB });
  await refusal(t, store.deleteVolume({ volumeId: id }, { ifBusy: 'wait' }), 'ABORTED');
  hold.open();
});

test('deadlineMs › an operation past it is taken back and is DEADLINE_EXCEEDED', async (t) => {
  const { store, volume, vm } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, call, go }) => {
        if (method !== 'attachDevice') return go();
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        throw call.signal.reason;
      }),
  });
  const { id } = await volume(MiB);
  const attach = store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true, deadlineMs: 100 });
  await refusal(t, attach, 'DEADLINE_EXCEEDED');
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
  t.like((await store.describeAttachments({ volumeId: id })).items[0], { state: 'detached', connection: null });
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual((await store.reconcile()).differences, []);
});

test('deadlineMs › that is long enough changes nothing', async (t) => {
  const { store } = await newStore(t);
  t.is((await store.createVolume({ size: MiB }, { wait: true, deadlineMs: 60_000 })).state, 'available');
});

test('cancelOperation › takes a running attach back, which is ABORTED', async (t) => {
  const asked = gate();
  const { store, volume, vm } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, call, go }) => {
        if (method !== 'attachDevice') return go();
        asked.open();
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        throw call.signal.reason;
      }),
  });
  const { id } = await volume(MiB);
  let operationId = '';
  const attach = store.attachVolume(
    { volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' },
    {
      wait: true,
      onOperation: (begun) => {
        operationId = begun;
      },
    },
  );
  const outcome = refusal(t, attach, 'ABORTED');
  await asked.opened;
  await store.cancelOperation(operationId);
  await outcome;
  t.like((await store.describeOperations({ ids: [operationId] })).items[0], { state: 'failed', error: { code: 'ABORTED' } });
  t.is((await store.describeVolumes({ ids: [id] })).items[0]?.state, 'available');
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual((await store.reconcile()).differences, []);
  await store.cancelOperation(operationId);
});

test('cancelOperation › of a fill ends it; the volume is error, and can be deleted', async (t) => {
  const asked = gate();
  const { store, volume, writeTo } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, call, go }) => {
        if (method !== 'populateVolume') return go();
        asked.open();
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        return go();
      }),
  });
  const { id } = await volume(MiB);
  await writeTo(id, 0, someBytes(MiB));
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  let operationId = '';
  const pending = await store.createVolume(
    { snapshotId: snapshot.id },
    {
      onOperation: (begun) => {
        operationId = begun;
      },
    },
  );
  await asked.opened;
  await store.cancelOperation(operationId);
  await refusal(
    t,
    store.waitForOperation(operationId).then(() => undefined),
    'ABORTED',
  );
  t.like((await store.describeVolumes({ ids: [pending.id] })).items[0], { state: 'error' });
  await store.deleteVolume({ volumeId: pending.id }, { wait: true });
  await store.deleteSnapshot({ snapshotId: snapshot.id }, { wait: true });
  t.deepEqual((await store.reconcile()).differences, []);
});

test('onProgress › tells durable bytes of a fill, in order, up to the whole', async (t) => {
  const { store, volume, writeTo } = await newStore(t);
  const { id } = await volume(8 * MiB);
  await writeTo(id, 0, someBytes(8 * MiB));
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const seen: [number, number][] = [];
  await store.createVolume({ snapshotId: snapshot.id }, { wait: true, onProgress: (done, total) => seen.push([done, total]) });
  t.deepEqual(seen.at(-1), [8 * MiB, 8 * MiB]);
  t.deepEqual(
    seen,
    [...seen].sort(([one], [other]) => one - other),
  );
});

test('onProgress › that throws ends the waiting with what it threw, and not the fill', async (t) => {
  const { store, volume, writeTo } = await newStore(t);
  const { id } = await volume(MiB);
  await writeTo(id, 0, someBytes(MiB));
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const mistake = new Error('a listener of the embedder');
  let operationId = '';
  const made = store.createVolume(
    { snapshotId: snapshot.id },
    {
      wait: true,
      onOperation: (begun) => {
        operationId = begun;
      },
      onProgress: () => {
        throw mistake;
      },
    },
  );
  t.is(await t.throwsAsync(made), mistake);
  t.is((await store.waitForOperation(operationId)).state, 'succeeded');
});

test('onOperation › is told the operation once it is journalled, for a repeat too', async (t) => {
  const { store } = await newStore(t);
  const told: string[] = [];
  const options = { wait: true, clientToken: 'token', onOperation: (id: string) => told.push(id) };
  await store.createVolume({ size: MiB }, options);
  await store.createVolume({ size: MiB }, options);
  t.is(told.length, 2);
  t.is(told[0], told[1]);
  t.like((await store.describeOperations({ ids: [told[0] ?? ''] })).items[0], { kind: 'create-volume', state: 'succeeded', step: null });
});

test.serial('attachVolume › of many at once gives no warning of listeners that pile up', async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on('warning', note);
  t.teardown(() => process.off('warning', note));
  const asked = gate();
  let looks = 0;
  const { store, volume } = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'identifyVm') {
          if (++looks === 12) asked.open();
          await asked.opened;
        }
        return await go();
      }),
  });
  const volumes = await Promise.all(Array.from({ length: 12 }, () => volume(MiB)));
  const attach = ({ id: volumeId }: { readonly id: string }, index: number) =>
    store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: `xvd${String.fromCharCode(98 + index)}` }, { wait: true });
  await Promise.all(volumes.map(attach));
  t.deepEqual(warnings.map(String), []);
});
