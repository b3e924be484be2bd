import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { tokens } from '@vbs/core/internal/tokens.js';
import { Journal } from '@vbs/core/internal/workflow/journal.js';
import test from 'ava';
import { gate, MiB, newDirectory, refusal, until } from '../../support/store.js';
import type { FaultSource } from '../../support/world/faults.js';
import { World } from '../../support/world/world.js';
import { openWorldStore } from '../../support/world/world-store.js';
import {
  deaf,
  hookedStore,
  inDatabase,
  operationOf,
  place,
  restful,
  unhappy,
  untilState,
  volumeOf,
  volumeServers,
  wait,
} from './fixture.js';

const passing = ({ go }: { go(): Promise<unknown> }): Promise<unknown> => go();

const ownerOf = (directory: string, operationId: string): Promise<string> =>
  inDatabase(directory, async ({ knex }) => String((await knex('operations').where({ id: operationId }).first()).owner));

test('B2 › another process cannot abandon what a living one has, and is told who has it', async (t) => {
  const directory = await newDirectory(t);
  const going = gate();
  let acted = false;
  const configuration = volumeServers(directory, { backend: { extendVolume: 200 } });
  const owner = await hookedStore(
    t,
    async (intercepted) => {
      if (intercepted.method !== 'extendVolume') return intercepted.go();
      await going.opened;
      const answer = await deaf(intercepted);
      acted = true;
      return answer;
    },
    { directory, times: restful, configuration },
  );
  const other = await hookedStore(t, passing, { directory, times: restful, configuration });
  t.teardown(going.open);
  const { id: volumeId } = await owner.volume(MiB);
  const { operationId } = await unhappy((options) => owner.store.extendVolume({ volumeId, size: 2 * MiB }, options));
  const process = await ownerOf(directory, operationId);
  const named = (message: string): boolean => message.includes(process);

  t.regex((await refusal(t, owner.store.abandonOperation(operationId), 'FAILED_PRECONDITION')).message, /has not ended/);
  const abandoned = await refusal(t, other.store.abandonOperation(operationId), 'FAILED_PRECONDITION');
  t.true(named(abandoned.message), abandoned.message);
  const retried = await refusal(t, other.store.retryOperation(operationId), 'FAILED_PRECONDITION');
  t.true(named(retried.message), retried.message);
  await refusal(t, other.store.createSnapshot({ volumeId }, wait), 'ABORTED');
  t.is(await ownerOf(directory, operationId), process);
  t.false(acted);
  going.open();
  await until('the late call has ended', () => acted);
  t.is((await owner.store.retryOperation(operationId)).state, 'succeeded');
  t.is((await volumeOf(owner.store, volumeId))?.sizeBytes, 2 * MiB);
});

test('F1 › extend, detach and forced detach from a process that does not own the instances are refused and name the owner', async (t) => {
  const directory = await newDirectory(t);
  const owner = await hookedStore(t, passing, { directory });
  const { id: volumeId } = await owner.volume(MiB);
  await owner.store.attachVolume({ volumeId, ...place }, wait);
  const other = await hookedStore(t, passing, { directory });
  for (const refused of [
    other.store.extendVolume({ volumeId, size: 2 * MiB }, wait),
    other.store.detachVolume({ volumeId }, wait),
    other.store.detachVolume({ volumeId, force: true }, wait),
    other.store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait),
  ]) {
    const { context, message } = await refusal(t, refused, 'FAILED_PRECONDITION');
    t.is(context.reason, 'owned-elsewhere');
    t.true(message.includes(`the process ${process.pid}`), message);
  }
  t.like(await volumeOf(other.store, volumeId), { state: 'in-use', sizeBytes: MiB });
  const open = await Promise.all(['running', 'stuck'].map((state) => other.store.describeOperations({ state })));
  t.deepEqual(
    open.flatMap(({ items }) => items),
    [],
  );
  t.is((await owner.store.extendVolume({ volumeId, size: 2 * MiB }, wait)).sizeBytes, 2 * MiB);
  await owner.store.detachVolume({ volumeId }, wait);
});

test('F1 › a forced detach from another process gives no operation of a living one up', async (t) => {
  const directory = await newDirectory(t);
  const owner = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'extendExport') throw new VbsError('UNAVAILABLE', 'the exporter sleeps');
      return go();
    },
    { directory, times: restful },
  );
  const { id: volumeId } = await owner.volume(MiB);
  await owner.store.attachVolume({ volumeId, ...place }, wait);
  const { operationId } = await unhappy((options) => owner.store.extendVolume({ volumeId, size: 2 * MiB }, options));
  const other = await hookedStore(t, passing, { directory, times: restful });
  const { message } = await refusal(t, other.store.detachVolume({ volumeId, force: true }, wait), 'FAILED_PRECONDITION');
  t.true(message.includes(`the process ${process.pid}`), message);
  t.is((await operationOf(owner.store, operationId))?.state, 'stuck');
  t.deepEqual(owner.vm('vm1').devices(), ['xvdb']);
});

test('B2 › a forced detach over an attach that another living process has is refused, and names it', async (t) => {
  const directory = await newDirectory(t);
  const open = async (faults: FaultSource) => {
    const opened = await openWorldStore(directory, new World(join(directory, 'world'), { faults }), {
      shortLimits: false,
      times: restful,
    });
    t.teardown(() => opened.store.close());
    return opened;
  };
  const silence = new Set(['attachDevice', 'listDevices']);
  const { store, world } = await open(async (_call, method) => (silence.has(method) ? 'unavailable' : undefined));
  const other = await open(async () => undefined);
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  const request = { volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdb' };
  const { operationId } = await unhappy((options) => store.attachVolume(request, options));
  const process = await ownerOf(directory, operationId);
  for (const nodeIsDead of [false, true]) {
    const forced = other.store.detachVolume({ volumeId, force: true, nodeIsDead }, wait);
    const { message } = await refusal(t, forced, 'FAILED_PRECONDITION');
    t.true(message.includes(process), message);
  }
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.is((await volumeOf(store, volumeId))?.state, 'attaching');
  silence.clear();
  t.is((await store.retryOperation(operationId)).state, 'failed');
  t.deepEqual([world.exports.list(), world.connections.list(), world.violations.read()], [[], [], []]);
});

test('B2 › a store that closes over a running call keeps its lease, and nobody does the step beside it', async (t) => {
  const directory = await newDirectory(t);
  const going = gate();
  let running = false;
  const configuration = volumeServers(directory, { backend: { extendVolume: 200 } });
  const first = await hookedStore(
    t,
    async (intercepted) => {
      if (intercepted.method !== 'extendVolume') return intercepted.go();
      running = true;
      await going.opened;
      running = false;
      throw new Error('too late');
    },
    { directory, times: { ...restful, leaseMs: 3_000 }, layers: { closeLimitMs: 200 }, configuration, closesBadly: true },
  );
  const beside: boolean[] = [];
  const second = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'extendVolume') beside.push(running);
      return go();
    },
    { directory, configuration, times: { scanMs: 30 } },
  );
  t.teardown(going.open);
  const { id: volumeId } = await first.volume(MiB);
  const { operationId } = await unhappy((options) => first.store.extendVolume({ volumeId, size: 2 * MiB }, options));
  await inDatabase(directory, ({ knex }) => knex('operations').where({ id: operationId }).update({ next_try_at: 0 }));
  await first.store.close().catch(() => undefined);
  t.true(running);
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  t.deepEqual(beside, []);
  going.open();
  await until('the lease is over and the step done', () => beside.length > 0);
  await untilState(second.store, operationId, 'succeeded');
  t.deepEqual([...new Set(beside)], [false]);
});

test('C5 › a caller that waits while another process holds the database gets the result', async (t) => {
  const { store, directory } = await hookedStore(t, passing);
  const held = gate();
  const holding = inDatabase(directory, (database) =>
    database.transaction(async () => {
      held.open();
      await new Promise((resolve) => setTimeout(resolve, 1_500));
    }),
  );
  await held.opened;
  t.is((await store.createVolume({ size: MiB }, wait)).state, 'available');
  await holding;
});

test('A6 › a caller whose operation the database no longer takes is told which one it is, and it ends later', async (t) => {
  let held = false;
  class HeldJournal extends Journal {
    override write(...given: Parameters<Journal['write']>): ReturnType<Journal['write']> {
      if (held) return Promise.reject(new VbsError('UNAVAILABLE', 'another process holds the database'));
      return super.write(...given);
    }
  }
  const { store } = await hookedStore(
    t,
    async ({ method, go }) => {
      if (method === 'createVolume') held = true;
      return go();
    },
    {
      times: { scanMs: 30 },
      register: (container) =>
        container.register(tokens.journal, {
          useFactory: (from) => new HeldJournal(from.resolve(tokens.lease), from.resolve(tokens.newId)),
        }),
    },
  );
  const { operationId, error } = await unhappy((options) => store.createVolume({ size: MiB }, options));
  t.like(error, { code: 'UNAVAILABLE' });
  t.is(error.context.operationId, operationId);
  t.true(error.message.includes(operationId), error.message);
  held = false;
  await untilState(store, operationId, 'succeeded');
  t.is((await store.describeVolumes()).items[0]?.state, 'available');
});
