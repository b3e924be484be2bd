import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { type Logger, Secret, VbsError } from '@vbs/core';
import { createWorkflows } from '@vbs/core/internal/operations/workflows.js';
import { tokens } from '@vbs/core/internal/tokens.js';
import test from 'ava';
import { MiB, newDirectory, refusal, until, vmmHost } from '../../support/store.js';
import { hookedStore, inDatabase, operationOf, place, restful, unhappy, untilState, volumeOf, volumeServers, wait } from './fixture.js';

/** A logger, and the text of all that it was given. */
function listeningLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (fields: object, message: string): void => {
    lines.push(`${message} ${inspect(fields, { depth: 10 })}`);
  };
  return { logger: { debug: note, info: note, warn: note, error: note }, lines };
}

/** Everything that the store has written beside its volumes. */
async function writtenText(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => name.startsWith('vbs.sqlite'));
  return (await Promise.all(names.map((name) => readFile(join(directory, name), 'latin1')))).join('');
}

test('A6 › an error whose context has a BigInt ends the operation as any other', async (t) => {
  const { store } = await hookedStore(t, async ({ method, go }) => {
    if (method === 'createVolume') throw new VbsError('RESOURCE_EXHAUSTED', 'the pool is full', { context: { freeBytes: 12n } });
    return go();
  });
  const { operationId, error } = await unhappy((options) => store.createVolume({ size: MiB }, options));
  t.is(error.code, 'RESOURCE_EXHAUSTED');
  t.is(error.context.freeBytes, '12');
  t.is((await operationOf(store, operationId))?.state, 'failed');
  t.is((await store.describeVolumes()).items[0]?.state, 'error');
});

test('E5 › an error whose context has a Secret ends the operation, and its text is in no answer, log or file', async (t) => {
  const text = 'correct-horse-battery-staple';
  const { logger, lines } = listeningLogger();
  const { store, directory } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'createVolume') {
        const deep = { login: { user: 'vbs', password: new Secret(text) } };
        throw new VbsError('UNAUTHENTICATED', `the pool refuses ${new Secret(text)}`, { context: { secret: new Secret(text), deep } });
      }
      return go();
    },
    { services: { logger } },
  );
  const { operationId, error } = await unhappy((options) => store.createVolume({ size: MiB }, options));
  t.is(error.code, 'UNAUTHENTICATED');
  const operation = await operationOf(store, operationId);
  t.is(operation?.state, 'failed');
  const told = [error.message, JSON.stringify(error), inspect(error, { depth: 10 }), JSON.stringify(operation)];
  told.push(JSON.stringify(await store.describeJournal(operationId)), JSON.stringify(await store.describeVolumes()));
  t.true(told.some((one) => one.includes('[redacted]')));
  for (const one of [...told, ...lines, await writtenText(directory)]) t.false(one.includes(text));
});

test('E5 › an answer with a Secret that may not be journalled leaves the operation stuck with a reason, and it can be abandoned', async (t) => {
  const text = 'correct-horse-battery-staple';
  const { logger, lines } = listeningLogger();
  const { store, directory } = await hookedStore(
    t,
    async ({ method, go }) => {
      const answer = await go();
      if (method === 'createVolume') return { ...(answer as object), locator: { kind: 'file', path: '/x', key: new Secret(text) } };
      return answer;
    },
    { times: restful, services: { logger } },
  );
  const { operationId } = await unhappy((options) => store.createVolume({ size: MiB }, options));
  t.like(await operationOf(store, operationId), { state: 'stuck' });
  t.regex((await operationOf(store, operationId))?.reason ?? '', /a secret must not be journalled/);
  t.is((await store.abandonOperation(operationId)).state, 'failed');
  t.is((await store.describeVolumes()).items[0]?.state, 'error');
  for (const one of [...lines, await writtenText(directory)]) t.false(one.includes(text));
});

test('A6 › an attach after an answer with a BigInt, which cannot be journalled, is taken back', async (t) => {
  const { store, volume, vm } = await hookedStore(t, async ({ method, go }) => {
    const answer = await go();
    return method === 'createExport' ? { ...(answer as object), weight: 1n } : answer;
  });
  const { id: volumeId } = await volume(MiB);
  const { operationId, error } = await unhappy((options) => store.attachVolume({ volumeId, ...place }, options));
  t.is(error.context.operationId, operationId);
  await untilState(store, operationId, 'failed');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
  t.deepEqual(vm('vm1').devices(), []);
  t.deepEqual(await store.reconcile(), { differences: [], unseen: [] });
});

const settleThatFails = test.macro(async (t, end: 'succeed' | 'fail') => {
  const tries: number[] = [];
  let broken = true;
  const { store } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (end === 'fail' && method === 'createVolume') throw new VbsError('RESOURCE_EXHAUSTED', 'the pool is full');
      return go();
    },
    {
      times: {
        scanMs: 20,
        pauseMs: (attempts) => {
          tries.push(attempts);
          return 5 * 2 ** attempts;
        },
      },
      register: (container) =>
        container.register(tokens.workflows, {
          useFactory: (from) => {
            const workflows = createWorkflows(from.resolve(tokens.instances), from.resolve(tokens.chap));
            const { createVolume } = workflows;
            const settle: never = (async (...given: never[]) => {
              if (broken) throw new TypeError('the metadata are not as they were thought to be');
              return (createVolume[end] as (...given: never[]) => unknown)(...given);
            }) as never;
            return { ...workflows, createVolume: { ...createVolume, [end]: settle } };
          },
        }),
    },
  );
  const { operationId, error } = await unhappy((options) => store.createVolume({ size: MiB }, options));
  t.is(error.context.operationId, operationId);
  await until('several tries', () => tries.length >= 4);
  t.deepEqual(tries.slice(0, 4), [1, 2, 3, 4]);
  await untilState(store, operationId, 'stuck');
  t.regex((await operationOf(store, operationId))?.reason ?? '', /the metadata are not as they were thought to be/);
  if (end === 'succeed') {
    broken = false;
    await untilState(store, operationId, 'succeeded');
    t.is((await store.describeVolumes()).items[0]?.state, 'available');
    return;
  }
  await until('abandoned', () =>
    store.abandonOperation(operationId).then(
      () => true,
      () => false,
    ),
  );
  t.is((await store.describeVolumes()).items[0]?.state, 'error');
});
test('A6 › an operation whose end cannot be written is stuck with a reason, and tried with growing pauses', settleThatFails, 'succeed');
test('A6 › an operation whose failure cannot be written is stuck with growing pauses, and can be abandoned', settleThatFails, 'fail');

test('A6 › an operation whose exporter was taken out of the configuration is logged once, and can be abandoned', async (t) => {
  const directory = await newDirectory(t);
  const first = await hookedStore(
    t,
    async ({ method, call, go }) => {
      if (method !== 'attachDevice') return go();
      await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve(), { once: true }));
      throw new VbsError('UNAVAILABLE', 'the hypervisor sleeps');
    },
    { directory, configuration: volumeServers(directory, { exporters: ['old'] }) },
  );
  const { id: volumeId } = await first.volume(MiB);
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  await first.store.attachVolume({ volumeId, ...place }, { onOperation });
  await until('at the hypervisor', async () => (await operationOf(first.store, operationId))?.step === 'attach-device');
  await first.store.close();

  const { logger, lines } = listeningLogger();
  const { store } = await hookedStore(t, ({ go }) => go(), { directory, times: { scanMs: 20 }, services: { logger } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const told = lines.filter((line) => line.includes(operationId));
  t.is(told.length, 1, told.join('\n'));
  t.regex(told[0] ?? '', /vs1\/old/);
  t.is((await store.abandonOperation(operationId)).state, 'failed');
  t.is((await volumeOf(store, volumeId))?.state, 'error');
});

test('A6 › a forced detach whose dead node was taken out of the configuration goes on', async (t) => {
  const directory = await newDirectory(t);
  const first = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'deleteExport') throw new VbsError('UNAVAILABLE', 'the daemon restarts');
      return go();
    },
    { directory, times: restful },
  );
  const { id: volumeId } = await first.volume(MiB);
  await first.store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => first.store.detachVolume({ volumeId, force: true, nodeIsDead: true }, options));
  await first.store.close();
  await inDatabase(directory, ({ knex }) => knex('operations').where({ id: operationId }).update({ next_try_at: 0 }));

  const vmmNodes = { other: { hypervisor: { plugin: 'sandbox', vms: { vm9: {} } } } };
  const { store } = await hookedStore(t, ({ go }) => go(), { directory, configuration: { vmmNodes } });
  t.is(
    (await store.listRoutes()).some(({ node }) => node === vmmHost),
    false,
  );
  await untilState(store, operationId, 'succeeded');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
});

test('A6 › an open operation of a kind that this VBS does not know does not keep the store from opening', async (t) => {
  const first = await hookedStore(t, ({ go }) => go());
  const { id: volumeId } = await first.volume(MiB);
  await first.store.close();
  const unknown = 'op-00000000000000001';
  await inDatabase(first.directory, async ({ knex }) => {
    const { seq, ...made } = await knex('operations').first();
    await knex('ids').insert({ id: unknown, created_at: 1 });
    await knex('processes').insert({ id: 'gone', identity: '{}', lease_expires_at: 0 });
    await knex('operations').insert({ ...made, id: unknown, kind: 'migrate-volume', state: 'running', owner: 'gone', client_token: null });
    await knex('leases').insert({ resource_id: volumeId, operation_id: unknown, mode: 'exclusive' });
    t.is(typeof seq, 'number');
  });
  const { logger, lines } = listeningLogger();
  const { store, volume } = await hookedStore(t, ({ go }) => go(), {
    directory: first.directory,
    services: { logger },
    times: { scanMs: 20 },
  });
  t.is((await volume(MiB)).state, 'available');
  t.is((await volumeOf(store, volumeId))?.state, 'available');
  t.like(await operationOf(store, unknown), { kind: 'migrate-volume', state: 'running' });
  t.is((await refusal(t, store.deleteVolume({ volumeId }, wait), 'ABORTED')).context.operationId, unknown);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.is(lines.filter((line) => line.includes('waits for a process')).length, 1, lines.join('\n'));
});
