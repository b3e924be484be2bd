import { VbsError } from '@vbs/core';
import test from 'ava';
import { MiB, refusal, until } from '../../support/store.js';
import {
  type HookedOptions,
  hookedStore,
  inDatabase,
  operationOf,
  place,
  restful,
  unhappy,
  untilState,
  volumeOf,
  wait,
} from './fixture.js';

const changes = (method: string): boolean => !/^(list|mark|get|identify|canonical|resolve)/.test(method);

test('D2 › a store older than its pools only reads: no retry, abandon, cancel, recovery or restore, until accept starts them once', async (t) => {
  let broken = true;
  const first = await hookedStore(
    t,
    async ({ method, go }) => {
      if (broken && method === 'extendVolume') throw new VbsError('UNAVAILABLE', 'the pool sleeps');
      return go();
    },
    { times: restful },
  );
  const { id: volumeId } = await first.volume(MiB);
  const { id: attachedId } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId: attachedId, ...place }, wait);
  const { operationId } = await unhappy((options) => first.store.extendVolume({ volumeId, size: 2 * MiB }, options));
  await first.store.close();
  const { directory } = first;
  // As a database is that was restored from an older copy; the stuck operation is due at once.
  await inDatabase(directory, async ({ knex }) => {
    await knex('store').where({ key: 'epoch' }).update({ value: '1' });
    await knex('operations').where({ id: operationId }).update({ next_try_at: 0 });
  });

  broken = false;
  const acts: string[] = [];
  const options: HookedOptions = { directory, times: { scanMs: 20, restoreMs: 30 } };
  const { store } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (changes(method)) acts.push(method);
      return go();
    },
    options,
  );
  for (const refused of [
    () => store.createVolume({ size: MiB }),
    () => store.retryOperation(operationId),
    () => store.abandonOperation(operationId),
    () => store.cancelOperation(operationId),
    () => store.reconcile({ repair: true }),
    () => store.detachVolume({ volumeId: attachedId, force: true, nodeIsDead: true }),
  ]) {
    t.is((await refusal(t, (async () => refused())(), 'FAILED_PRECONDITION')).context.reason, 'older-than-pool');
  }
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.deepEqual(acts, []);
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  await store.reconcile();
  t.deepEqual(acts, []);

  await Promise.all([store.reconcile({ accept: true }), store.reconcile({ accept: true })]);
  await untilState(store, operationId, 'succeeded');
  await until('the disk is back', () => acts.includes('attachDevice'));
  t.is(acts.filter((method) => method === 'extendVolume').length, 1);
  await until('attached', async () => (await volumeOf(store, attachedId))?.state === 'in-use');
  await new Promise((resolve) => setTimeout(resolve, 150));
  t.is(acts.filter((method) => method === 'attachDevice').length, 1);
  t.is((await store.createVolume({ size: MiB }, wait)).state, 'available');
});

test('D2 › a store whose pool gets ahead of it while it works stops recovery and restores until accept', async (t) => {
  let [broken, ahead] = [true, false];
  const acts: string[] = [];
  const { store, volume, directory } = await hookedStore(
    t,
    async ({ method, call, request, go }) => {
      if (method === 'markEpoch') return ahead ? { epoch: 1_000_000 } : { epoch: (request as { readonly epoch: number }).epoch };
      if (broken && method === 'extendVolume') throw new VbsError('UNAVAILABLE', 'the pool sleeps');
      if (!broken && changes(method)) acts.push(method);
      // As if the exporter had lost its exports.
      if (!broken && method === 'listExports' && call.operationId === '') return [];
      return go();
    },
    { times: { ...restful, scanMs: 20, restoreMs: 30, markMs: 20 } },
  );
  const { id: volumeId } = await volume(MiB);
  const { id: attachedId } = await volume(MiB);
  await store.attachVolume({ volumeId: attachedId, ...place }, wait);
  const { operationId } = await unhappy((options) => store.extendVolume({ volumeId, size: 2 * MiB }, options));
  ahead = true;
  await until('it only reads', async () => {
    const created = store.createVolume({ size: MiB }, wait);
    return created.then(
      () => false,
      (error: { readonly context: { readonly reason?: unknown } }) => error.context.reason === 'older-than-pool',
    );
  });
  broken = false;
  await inDatabase(directory, ({ knex }) => knex('operations').where({ id: operationId }).update({ next_try_at: 0 }));
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.deepEqual(acts, []);
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  ahead = false;
  await store.reconcile({ accept: true });
  await untilState(store, operationId, 'succeeded');
  await until('restored', () => acts.includes('ensureExports'));
  t.is(acts.filter((method) => method === 'extendVolume').length, 1);
});
