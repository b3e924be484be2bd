import { VbsError } from '@vbs/core';
import test from 'ava';
import { MiB, refusal } from '../../support/store.js';
import { attachmentOf, hookedStore, operationOf, place, restful, unhappy, volumeOf, wait } from './fixture.js';

const asleep = (): never => {
  throw new VbsError('UNAVAILABLE', 'the hypervisor sleeps');
};

test('A2 › a forced detach over a stuck attach takes the disk out of the VM', async (t) => {
  let sleeps = true;
  const { store, volume, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && method === 'listDevices') asleep();
      if (sleeps && method === 'attachDevice') {
        await go();
        asleep();
      }
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.attachVolume({ volumeId, ...place }, options));
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  sleeps = false;
  const detached = await store.detachVolume({ volumeId, force: true }, wait);
  t.like(detached, { state: 'detached', reason: null });
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual((await store.reconcile()).differences, []);
  t.is((await store.resetState({ volumeId }, wait)).state, 'available');
});

test('A2 › a forced detach over a stuck attach says what it could not take out, and reconcile finds it', async (t) => {
  let sleeps = true;
  const { store, volume, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && (method === 'listDevices' || method === 'detachDevice')) asleep();
      if (sleeps && method === 'attachDevice') {
        await go();
        asleep();
      }
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  await unhappy((options) => store.attachVolume({ volumeId, ...place }, options));
  const detached = await store.detachVolume({ volumeId, force: true }, wait);
  t.regex(detached.reason ?? '', /detach-device: the hypervisor sleeps/);
  sleeps = false;
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
  t.like((await store.reconcile()).differences, { length: 1, 0: { kind: 'device', id: detached.id, what: 'orphan' } });
});

test('A6 › reset-state refuses while the disk of an abandoned attach is in the VM', async (t) => {
  let sleeps = true;
  const { store, volume } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && method === 'listDevices') asleep();
      if (sleeps && method === 'attachDevice') {
        await go();
        asleep();
      }
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.attachVolume({ volumeId, ...place }, options));
  sleeps = false;
  await store.abandonOperation(operationId);
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  const { message } = await refusal(t, store.resetState({ volumeId }, wait), 'FAILED_PRECONDITION');
  t.regex(message, /detach-device is still to be done/);
  await store.detachVolume({ volumeId, force: true }, wait);
  t.is((await store.resetState({ volumeId }, wait)).state, 'available');
});

test('A2 › a refused forced detach leaves attachment and volume as they were, and nothing is attached later', async (t) => {
  let sleeps = true;
  let restored = 0;
  const { store, volume, vm } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (sleeps && (method === 'listDevices' || method === 'attachDevice')) asleep();
      if (method === 'ensureExports') restored += 1;
      if (method === 'revokeAccess') throw new VbsError('PERMISSION_DENIED', 'nobody may be shut out');
      return go();
    },
    { times: { ...restful, restoreMs: 50 } },
  );
  const { id: volumeId } = await volume(MiB);
  await unhappy((options) => store.attachVolume({ volumeId, ...place }, options));
  sleeps = false;
  await refusal(t, store.detachVolume({ volumeId, force: true }, wait), 'PERMISSION_DENIED');
  t.like(await attachmentOf(store, volumeId), { state: 'attaching', reason: 'PERMISSION_DENIED: nobody may be shut out' });
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  // Several looks of the restorer.
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.is((await attachmentOf(store, volumeId))?.state, 'attaching');
  t.is((await volumeOf(store, volumeId))?.state, 'error');
  t.deepEqual([vm('vm1').devices(), restored], [[], 0]);
});

test('A2 › a forced detach of what is not attached gives no stuck operation up', async (t) => {
  const { store, volume } = await hookedStore(t, async ({ method, go }) => (method === 'extendVolume' ? asleep() : go()), {
    times: restful,
  });
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.extendVolume({ volumeId, size: 2 * MiB }, options));
  await refusal(t, store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait), 'FAILED_PRECONDITION');
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});

test('A2 › a forced detach of a wrong attachment gives no stuck operation up', async (t) => {
  const { store, volume } = await hookedStore(t, async ({ method, go }) => (method === 'extendExport' ? asleep() : go()), {
    times: restful,
  });
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => store.extendVolume({ volumeId, size: 2 * MiB }, options));
  const wrong = store.detachVolume({ volumeId, attachmentId: 'att-00000000000000001', force: true }, wait);
  await refusal(t, wrong, 'NOT_FOUND');
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.is((await volumeOf(store, volumeId))?.state, 'in-use');
});

test('F3 › a forced detach without fence needs nodeIsDead, and refused gives no stuck operation up', async (t) => {
  const { store, volume, vm } = await hookedStore(t, async ({ method, go }) => (method === 'extendExport' ? asleep() : go()), {
    times: restful,
    plugin: withoutFence,
  });
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => store.extendVolume({ volumeId, size: 2 * MiB }, options));
  const { message } = await refusal(t, store.detachVolume({ volumeId, force: true }, wait), 'FAILED_PRECONDITION');
  t.regex(message, /nodeIsDead/);
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.deepEqual(vm('vm1').devices(), ['xvdb']);
});

interface AnyProvider {
  readonly capabilities: readonly string[];
  readonly open: (instance: unknown) => Promise<{ readonly capabilities?: ReadonlySet<string> }>;
}

/** The same plugin, whose manifest and opened instances do not know `fence`. */
function withoutFence<P extends { readonly provides: object }>(plugin: P): P {
  const notFence = (capability: string): boolean => capability !== 'fence';
  const provides = Object.entries(plugin.provides).map(([kind, provider]: [string, AnyProvider]) => [
    kind,
    {
      ...provider,
      capabilities: provider.capabilities.filter(notFence),
      open: async (instance: unknown) => {
        const opened = await provider.open(instance);
        const { capabilities } = opened;
        return capabilities === undefined ? opened : narrowed(opened, { capabilities: new Set([...capabilities].filter(notFence)) });
      },
    },
  ]);
  return { ...plugin, provides: Object.fromEntries(provides) };
}

/** The same instance but for some of its members; its own methods find their private parts on it. */
function narrowed<T extends object>(instance: T, members: Partial<T>): T {
  return new Proxy(instance, {
    get(target, key) {
      if (key in members) return members[key as keyof T];
      const member: unknown = Reflect.get(target, key, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

test('A2 › a forced detach never gives up a stuck snapshot of the volume', async (t) => {
  const { store, volume } = await hookedStore(
    t,
    async ({ method, call, go }) => {
      if (method === 'createSnapshot' || (method === 'listSnapshots' && call.operationId !== '')) asleep();
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place, access: 'read-only' }, wait);
  const { operationId } = await unhappy((options) => store.createSnapshot({ volumeId }, options));
  const { context } = await refusal(t, store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait), 'ABORTED');
  t.is(context.operationId, operationId);
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.is((await volumeOf(store, volumeId))?.state, 'in-use');
});

test('A2 › a forced detach never gives up a stuck delete of the volume', async (t) => {
  const { store, volume } = await hookedStore(t, async ({ method, go }) => (method === 'deleteVolume' ? asleep() : go()), {
    times: restful,
  });
  const { id: volumeId } = await volume(MiB);
  const { operationId } = await unhappy((options) => store.deleteVolume({ volumeId }, options));
  await refusal(t, store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait), 'FAILED_PRECONDITION');
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.is((await volumeOf(store, volumeId))?.state, 'deleting');
});
