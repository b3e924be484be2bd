import type { StoreEvent } from '@vbs/core';
import test from 'ava';
import { MiB, newStore, refusal, type TestStore, vmmHost } from '../../support/store.js';
import { inDatabase } from '../safety/fixture.js';

/** The events after a sequence, up to and with the first of this type. */
async function upTo({ store }: TestStore, type: string, after: number): Promise<readonly StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const event of store.events({ after, signal: AbortSignal.timeout(5_000) })) {
    events.push(event);
    if (event.type === type) return events;
  }
  throw new Error(`no ${type} came within 5 s, only ${events.map((event) => event.type).join(', ')}`);
}

test('events › of a volume’s life come in order, with their operations', async (t) => {
  const bench = await newStore(t);
  const { store, volume } = bench;
  const { id } = await volume(MiB);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await store.detachVolume({ volumeId: id }, { wait: true });
  await store.deleteVolume({ volumeId: id }, { wait: true });
  const events = await upTo(bench, 'volume.deleted', 0);
  t.deepEqual(
    events.filter(({ type }) => !type.startsWith('operation.')).map(({ type }) => type),
    [
      'volume.pending',
      'volume.available',
      'attachment.attaching',
      'volume.attaching',
      'attachment.attached',
      'volume.in-use',
      'attachment.detaching',
      'volume.detaching',
      'attachment.detached',
      'volume.available',
      'volume.deleting',
      'volume.deleted',
    ],
  );
  t.deepEqual(
    events.map(({ sequence }) => sequence),
    events.map(({ sequence }) => sequence).sort((one, other) => one - other),
  );
  for (const { operationId, at } of events) {
    t.regex(operationId ?? '', /^op-/);
    t.is(new Date(at).toISOString(), at);
  }
});

test('events › a reader goes on after the last one it saw, and misses none', async (t) => {
  const bench = await newStore(t);
  await bench.volume(MiB);
  await bench.volume(MiB);
  const all = await upTo(bench, 'nothing', 0).catch(() => []);
  t.deepEqual(all, []);
  const first = await upTo(bench, 'volume.pending', 0);
  const rest = await upTo(bench, 'volume.pending', first.at(-1)?.sequence ?? -1);
  t.is(rest[0]?.sequence, (first.at(-1)?.sequence ?? -1) + 1);
});

test('events › without after tells what happens from the call on', async (t) => {
  const { store, volume } = await newStore(t);
  await volume(MiB);
  const iterator = store.events({ signal: AbortSignal.timeout(5_000) })[Symbol.asyncIterator]();
  const { id } = await volume(MiB);
  const { value } = await iterator.next();
  t.is(value?.resourceId, id);
});

test('events › a refused call and a rolled-back transaction tell nothing', async (t) => {
  const bench = await newStore(t);
  const { store, volume } = bench;
  const { id } = await volume(MiB);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const before = (await upTo(bench, 'volume.in-use', 0)).at(-1)?.sequence ?? 0;
  await refusal(t, store.deleteVolume({ volumeId: id }), 'FAILED_PRECONDITION');
  await refusal(t, store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm2', device: 'xvdb' }), 'FAILED_PRECONDITION');
  await store.detachVolume({ volumeId: id }, { wait: true });
  const after = await upTo(bench, 'attachment.detaching', before);
  t.deepEqual(
    after.map(({ type }) => type).filter((type) => !['operation.succeeded'].includes(type)),
    ['attachment.detaching'],
  );
});

test('events › of another process of the store come too', async (t) => {
  const bench = await newStore(t);
  const other = await newStore(t, { directory: bench.directory });
  const { id } = await other.volume(MiB);
  const events = await upTo(bench, 'volume.available', 0);
  t.is(events.at(-1)?.resourceId, id);
});

test('events › end when the signal aborts, and when the store closes', async (t) => {
  const { store } = await newStore(t);
  const controller = new AbortController();
  const aborted = store.events({ signal: controller.signal })[Symbol.asyncIterator]().next();
  controller.abort();
  t.true((await aborted).done);
  const closed = store.events()[Symbol.asyncIterator]().next();
  await store.close();
  t.true((await closed).done);
});

test('events › an attach that goes back tells detached with the reason, and the operation its error', async (t) => {
  const bench = await newStore(t, { vms: { vm1: { running: true, slots: 2 } } });
  const { store, volume } = bench;
  const { id } = await volume(MiB);
  const error = await refusal(t, store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdz' }), 'INVALID_ARGUMENT');
  t.is(error.context.field, 'device');
  t.is((await store.describeOperations()).items.length, 1);
});

test('events › after one that is not kept any more, or not yet given, are refused with the range', async (t) => {
  const bench = await newStore(t);
  await bench.volume(MiB);
  await bench.volume(MiB);
  const last = (await upTo(bench, 'volume.available', 2)).at(-1)?.sequence ?? 0;
  await inDatabase(bench.directory, ({ knex }) => knex('events').where('seq', '<=', 2).delete());
  const first = (after: number) =>
    bench.store
      .events({ after, signal: AbortSignal.timeout(5_000) })
      [Symbol.asyncIterator]()
      .next();
  for (const after of [1, 1_000_000]) {
    const { context } = await refusal(t, first(after), 'OUT_OF_RANGE');
    t.like(context, { field: 'after', least: 2 });
    t.true(Number(context.most) >= last);
  }
  for (const after of [0, 2]) t.is((await first(after)).value?.sequence, 3);
});
