import { copyFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Call, type ErrorCode, VbsError } from '@vbs/core';
import test from 'ava';
import { gate, MiB, refusal, sameBytes, someBytes, type TestStore } from '../../support/store.js';
import { type Hook, hookedStore, inDatabase, place, volumeOf, wait } from './fixture.js';

const pass: Hook = ({ go }) => go();

/** A fill that hangs at its first durable progress, until its process lets go of it. */
const hangsHalfway =
  (reached: () => void): Hook =>
  async ({ method, call, request, go, again }) => {
    if (method !== 'populateVolume') return go();
    const half = new AbortController();
    const progress: Call['progress'] = (doneBytes, totalBytes) => {
      call.progress(doneBytes, totalBytes);
      half.abort();
    };
    await again({ ...call, signal: half.signal, progress }, request).catch(() => undefined);
    const letGo = new Promise((resolve) => call.signal.addEventListener('abort', resolve, { once: true }));
    reached();
    await letGo;
    throw call.signal.reason;
  };

/** A volume with bytes in it, and a snapshot of it. */
async function source({ store, volume, writeTo }: TestStore, sizeBytes: number) {
  const { id } = await volume(sizeBytes);
  const bytes = someBytes(sizeBytes);
  await writeTo(id, 0, bytes);
  const { id: snapshotId } = await store.createSnapshot({ volumeId: id }, wait);
  return { id, bytes, snapshotId };
}

const filesOf = (directory: string) => readdir(join(directory, 'pool', 'volumes'));

/** Opens a store on a pool in which a volume lies whose fill was interrupted, and of which the metadata, of an older copy, know nothing. */
async function withHalfVolume(t: Parameters<typeof hookedStore>[0], hook: Hook) {
  const first = await hookedStore(t, pass);
  const { directory } = first;
  const { id, snapshotId } = await source(first, 40 * MiB);
  await first.store.close();
  await copyFile(join(directory, 'vbs.sqlite'), join(directory, 'older.sqlite'));
  const halfway = gate();
  const second = await hookedStore(t, hangsHalfway(halfway.open), { directory });
  const { id: half } = await second.store.createVolume({ snapshotId });
  await halfway.opened;
  await second.store.close();
  for (const end of ['-wal', '-shm']) await rm(join(directory, `vbs.sqlite${end}`), { force: true });
  await copyFile(join(directory, 'older.sqlite'), join(directory, 'vbs.sqlite'));
  const third = await hookedStore(t, hook, { directory });
  const { differences } = await third.store.reconcile({ accept: true });
  return { ...third, id, half, differences };
}

test('C5 › a volume whose fill was interrupted is not whole, and is never adopted', async (t) => {
  const { store, directory, id, half, differences } = await withHalfVolume(t, pass);
  t.deepEqual((await filesOf(directory)).sort(), [`${id}.img`, `${half}.filling.img`].sort());
  t.like(differences, { length: 1, 0: { kind: 'volume', id: half, what: 'orphan' } });
  t.regex(differences[0]?.action ?? '', /never whole.*delete it by its id/);
  const error = await refusal(t, store.reconcile({ adopt: half }), 'FAILED_PRECONDITION');
  t.regex(error.message, /never whole.*delete it/);
  t.deepEqual(
    (await store.describeVolumes()).items.map((volume) => volume.id),
    [id],
  );
  t.deepEqual((await store.reconcile({ delete: half })).differences, []);
  t.deepEqual(await filesOf(directory), [`${id}.img`]);
});

test('C5 › a volume that was never whole and cannot be deleted at once is error until it can, and nothing else takes it', async (t) => {
  let refuses = true;
  const { store, half } = await withHalfVolume(t, async ({ method, go }) => {
    if (refuses && method === 'deleteVolume') throw new VbsError('FAILED_PRECONDITION', 'something holds it open');
    return go();
  });
  await refusal(t, store.reconcile({ delete: half }), 'FAILED_PRECONDITION');
  t.like(await volumeOf(store, half), { state: 'error', reason: 'it was never whole, its fill from a snapshot was interrupted' });
  await refusal(t, store.resetState({ volumeId: half }, wait), 'FAILED_PRECONDITION');
  await refusal(t, store.attachVolume({ volumeId: half, ...place }, wait), 'FAILED_PRECONDITION');
  await refusal(t, store.createSnapshot({ volumeId: half }, wait), 'FAILED_PRECONDITION');
  refuses = false;
  await store.deleteVolume({ volumeId: half }, wait);
  t.deepEqual((await store.reconcile()).differences, []);
});

test('C5 › a fill whose end nobody heard of is seen, not done again, and the volume is where it is then', async (t) => {
  let fills = 0;
  const opened = await hookedStore(t, async ({ method, go }) => {
    if (method !== 'populateVolume') return go();
    fills += 1;
    await go();
    throw new VbsError('UNAVAILABLE', 'the answer was lost');
  });
  const { store, directory, readFrom } = opened;
  const { bytes, snapshotId } = await source(opened, MiB);
  const { id, state } = await store.createVolume({ snapshotId }, wait);
  t.is(state, 'available');
  t.is(fills, 1);
  sameBytes(t, await readFrom(id, 0, MiB), bytes);
  await store.close();
  const [row] = await inDatabase(directory, ({ knex }) => knex('volumes').where({ id }).select('locator'));
  t.is(JSON.parse(row.locator).path, join(directory, 'pool', 'volumes', `${id}.img`));
});

const takenBack = test.macro({
  title: (told) => `C5 › a fill that ${told} takes away what there is of the volume`,
  async exec(t, code: ErrorCode, when: 'before' | 'after') {
    const opened = await hookedStore(t, async ({ method, go }) => {
      if (method !== 'populateVolume') return go();
      if (when === 'after') await go();
      throw new VbsError(code, 'no more room');
    });
    const { store, directory } = opened;
    const { id: volumeId, snapshotId } = await source(opened, MiB);
    await refusal(t, store.createVolume({ snapshotId }, wait), code);
    t.deepEqual(await filesOf(directory), [`${volumeId}.img`]);
    t.like((await store.describeVolumes({ state: 'error' })).items, { length: 1 });
    t.deepEqual((await store.reconcile()).differences, []);
  },
});
test('is refused', takenBack, 'RESOURCE_EXHAUSTED', 'before');
test('is refused after it has ended', takenBack, 'RESOURCE_EXHAUSTED', 'after');

test('C5 › no exporter is given a volume that is filled, nor any other path than that of the whole one', async (t) => {
  const exported: unknown[] = [];
  const opened = await hookedStore(t, async ({ method, request, go }) => {
    if (method === 'createExport' || method === 'extendExport') exported.push((request as { volume: unknown }).volume);
    return go();
  });
  const { store, directory } = opened;
  const { snapshotId } = await source(opened, MiB);
  const { id: volumeId } = await store.createVolume({ snapshotId }, wait);
  exported.length = 0;
  await store.attachVolume({ volumeId, ...place }, wait);
  await store.extendVolume({ volumeId, size: 2 * MiB }, wait);
  const locator = { kind: 'file', path: join(directory, 'pool', 'volumes', `${volumeId}.img`) };
  t.deepEqual(exported, [
    { id: volumeId, sizeBytes: MiB, locator },
    { id: volumeId, sizeBytes: 2 * MiB, locator },
  ]);
});

test('F3 › a forced detach counts an export that is gone as shut', async (t) => {
  let gone = false;
  const hook: Hook = async ({ method, call, request, go, again }) => {
    if (gone && method === 'revokeAccess') {
      // As an exporter does whose process ended and came back: there is nothing to shut.
      await go();
      throw new VbsError('NOT_FOUND', 'there is no such export');
    }
    return gone && method === 'listExports' ? ((await again(call, request)) as unknown[]).slice(1) : go();
  };
  // The restorer, which would put the export back, holds the volume while it does.
  const { store, volume } = await hookedStore(t, hook, { times: { restoreMs: 600_000 } });
  const { id: volumeId } = await volume(MiB);
  await store.attachVolume({ volumeId, ...place }, wait);
  gone = true;
  const detached = await store.detachVolume({ volumeId, force: true, nodeIsDead: true }, wait);
  t.is(detached.state, 'detached');
});
