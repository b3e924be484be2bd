import { VbsError } from '@vbs/core';
import test from 'ava';
import { MiB, newDirectory, refusal, until } from '../../support/store.js';
import { hookedStore, operationOf, restful, standingClock, unhappy, untilState, volumeOf, volumeServers, wait } from './fixture.js';

const neverWhole = /was never whole, or its bytes may be half destroyed/;

test('A6 › reset-state refuses a volume that was never whole', async (t) => {
  const directory = await newDirectory(t);
  let broken = true;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, call, go }) => {
      if (broken && method === 'populateVolume') {
        await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve(), { once: true }));
        throw new VbsError('UNAVAILABLE', 'half of it is copied');
      }
      return go();
    },
    {
      directory,
      times: restful,
      plugin: withoutClone,
      configuration: volumeServers(directory, { backend: { populateVolume: 200 } }),
    },
  );
  const { id: sourceId } = await volume(MiB);
  const { id: snapshotId } = await store.createSnapshot({ volumeId: sourceId }, wait);
  const { operationId } = await unhappy((options) => store.createVolume({ snapshotId }, options));
  await until('a copy that waits', async () => (await operationOf(store, operationId))?.state !== 'running');
  if ((await operationOf(store, operationId))?.state === 'stuck') await store.abandonOperation(operationId);
  broken = false;
  const copy = (await store.describeVolumes()).items.find(({ id }) => id !== sourceId);
  t.is(copy?.state, 'error');
  const { message } = await refusal(t, store.resetState({ volumeId: copy?.id ?? '' }, wait), 'FAILED_PRECONDITION');
  t.regex(message, neverWhole);
  t.is((await volumeOf(store, copy?.id ?? ''))?.state, 'error');
  await store.deleteVolume({ volumeId: copy?.id ?? '' }, wait);
});

/** So that the copy takes its time: a clone is there at once. */
function withoutClone<P extends { readonly provides: object }>(plugin: P): P {
  const provides = Object.entries(plugin.provides).map(([kind, provider]: [string, { readonly capabilities: readonly string[] }]) => [
    kind,
    { ...provider, capabilities: provider.capabilities.filter((capability) => capability !== 'instant-clone') },
  ]);
  return { ...plugin, provides: Object.fromEntries(provides) };
}

test('A6 › reset-state refuses a volume whose delete was abandoned, and it can be deleted', async (t) => {
  let broken = true;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (broken && method === 'deleteVolume') throw new VbsError('UNAVAILABLE', 'the connection was lost while it wiped');
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.deleteVolume({ volumeId }, options));
  await store.abandonOperation(operationId);
  broken = false;
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  t.regex((await refusal(t, store.resetState({ volumeId }, wait), 'FAILED_PRECONDITION')).message, neverWhole);
  await store.deleteVolume({ volumeId }, wait);
  t.deepEqual((await store.describeVolumes()).items, []);
});

const refusedAfterUnknown = test.macro(async (t, retries: number) => {
  let calls = 0;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method !== 'deleteVolume') return go();
      calls += 1;
      if (calls === 1) throw new VbsError('UNAVAILABLE', 'the connection was lost while it wiped');
      throw new VbsError('FAILED_PRECONDITION', 'a process holds the device open');
    },
    { layers: { retry: { retries, firstPauseMs: 1 } } },
  );
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.deleteVolume({ volumeId }, options));
  await until('several tries', () => calls > 3);
  t.is((await volumeOf(store, volumeId))?.state, 'deleting');
  // Whoever comes between two tries is refused, and comes again.
  await until('abandoned', () =>
    store.abandonOperation(operationId).then(
      () => true,
      () => false,
    ),
  );
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  t.regex((await refusal(t, store.resetState({ volumeId }, wait), 'FAILED_PRECONDITION')).message, neverWhole);
});
test('A4 › a delete of unknown end that is refused when it is tried again never becomes available', refusedAfterUnknown, 0);
test('A4 › a delete that is refused after a lost answer in one call never becomes available', refusedAfterUnknown, 1);

test('A4 › a delete that is refused at once, before it could begin, leaves the volume available', async (t) => {
  const { store, volume } = await hookedStore(t, async ({ method, go }) => {
    if (method === 'deleteVolume') throw new VbsError('FAILED_PRECONDITION', 'a process holds the device open');
    return go();
  });
  const { id: volumeId } = await volume(MiB);
  await refusal(t, store.deleteVolume({ volumeId }, wait), 'FAILED_PRECONDITION');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});

test('A4 › a delete that its deadline cuts goes forward to its end, and is never available again', async (t) => {
  const seen = new Set<string | undefined>();
  let calls = 0;
  const { clock, pass } = standingClock();
  const { store, volume } = await hookedStore(
    t,
    async ({ method, call, go }) => {
      if (method !== 'deleteVolume') return go();
      calls += 1;
      pass();
      await new Promise((resolve) => setTimeout(resolve, 250));
      call.signal.throwIfAborted();
      return go();
    },
    { services: { clock } },
  );
  const { id: volumeId } = await volume(MiB);
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  const deleting = store.deleteVolume({ volumeId }, { wait: true, deadlineMs: 50, onOperation }).catch(() => undefined);
  await until('deleted', async () => {
    if (operationId === '') return false;
    const state = (await store.describeVolumes()).items[0]?.state;
    seen.add(state);
    return state === undefined;
  });
  await deleting;
  t.false(seen.has('available'));
  await untilState(store, operationId, 'succeeded');
  t.true(calls <= 2, `${calls} calls`);
});

test('C3 › a volume whose snapshots need it is not deleted, and they are named', async (t) => {
  let deletes = 0;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'deleteVolume') deletes += 1;
      return go();
    },
    { plugin: withSnapshotsThatNeedTheirVolume },
  );
  const { id: volumeId } = await volume(MiB);
  const { id: snapshotId } = await store.createSnapshot({ volumeId }, wait);
  const { context } = await refusal(t, store.deleteVolume({ volumeId }, wait), 'FAILED_PRECONDITION');
  t.deepEqual(context.dependants, [snapshotId]);
  t.is(deletes, 0);
  t.is((await volumeOf(store, volumeId))?.state, 'available');
  await store.deleteSnapshot({ snapshotId }, wait);
  await store.deleteVolume({ volumeId }, wait);
});

interface Opening {
  open(...given: readonly unknown[]): Promise<object>;
}

function withSnapshotsThatNeedTheirVolume<P extends { readonly provides: object }>(plugin: P): P {
  const provides = Object.entries(plugin.provides).map(([kind, provider]: [string, Opening]) => {
    if (kind !== 'volumeBackend') return [kind, provider];
    const open = async (...given: readonly unknown[]): Promise<object> =>
      new Proxy(await provider.open(...given), {
        get(target, key) {
          const value: unknown = key === 'snapshotKind' ? 'needs-volume' : Reflect.get(target, key, target);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    return [kind, { ...provider, open }];
  });
  return { ...plugin, provides: Object.fromEntries(provides) };
}
