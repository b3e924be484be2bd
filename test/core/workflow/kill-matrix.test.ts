import { join } from 'node:path';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import test from 'ava';
import pLimit from 'p-limit';
import { disagreements, orphans } from '../../support/world/agreement.js';
import { blockBytes, World } from '../../support/world/world.js';
import { openWorldStore, silent, untilQuiet, type WorldStore } from '../../support/world/world-store.js';
import { inFolder, runChild } from './kill-child-process.js';
import { Acknowledgements, readLabels } from './kill-points.js';

const child = 'kill-world-child.js';
const wait = { wait: true } as const;

/** How far each fill was when the process died: bytes by the id of its volume. */
async function fillsOf(directory: string): Promise<ReadonlyMap<string, number>> {
  const database = await openDatabase({ client: 'sqlite3', filename: join(directory, 'vbs.sqlite') }, { log: silent });
  try {
    if (!(await database.knex.schema.hasTable('operations'))) return new Map();
    const rows: { resource_id: string; done_bytes: number }[] = await database
      .knex('operations')
      .whereNotNull('done_bytes')
      .where({ state: 'running' });
    return new Map(rows.map((row) => [row.resource_id, row.done_bytes]));
  } finally {
    await database.close();
  }
}

/** What the child was told as done is there; what it was not told may be there or not, but nothing between. */
async function lost({ store, world }: WorldStore, told: Acknowledgements): Promise<string[]> {
  const entries = told.read();
  const done = (step: string): boolean => entries.some((entry) => entry.what === 'done' && entry.step === step);
  const stands = (step: string, undoneBy: string): boolean => done(step) && !entries.some((entry) => entry.step === undoneBy);
  const idOf = (step: string): string => entries.find((entry) => entry.what === 'done' && entry.step === step)?.id ?? '';
  const volumes = new Map((await store.describeVolumes()).items.map((volume) => [volume.id, volume]));
  const snapshots = new Map((await store.describeSnapshots()).items.map((snapshot) => [snapshot.id, snapshot]));
  const first = volumes.get(idOf('create first'));
  const second = volumes.get(idOf('create second'));
  const snapshot = snapshots.get(idOf('create snapshot'));
  const vmOf = (id: string): string | undefined => volumes.get(id)?.attachments.find(({ state }) => state === 'attached')?.vmId;
  const found: string[] = [];
  const expect = (holds: boolean, what: string): void => void (holds || found.push(what));
  if (stands('create first', 'delete first')) expect(first !== undefined, 'the first volume is lost');
  if (stands('attach first', 'detach first')) expect(vmOf(idOf('create first')) === 'vm1', 'the first attachment is lost');
  if (stands('write', 'delete first')) expect(world.volumes.get(idOf('create first'))?.blocks[1] === 'one', 'what the guest wrote is lost');
  if (stands('create snapshot', 'delete snapshot')) {
    expect(snapshot?.state === 'completed', `the snapshot is ${snapshot?.state}`);
    expect(world.snapshots.get(idOf('create snapshot'))?.blocks[1] === 'one', 'the snapshot lost its bytes');
  }
  if (done('create second')) {
    expect(second?.state === 'available' || second?.state === 'in-use', `the second volume is ${second?.state}`);
    expect(world.volumes.get(idOf('create second'))?.blocks[1] === 'one', 'the second volume lost its bytes');
  }
  if (stands('extend first', 'delete first')) expect(first?.sizeBytes === 4 * blockBytes, 'the new size is lost');
  if (done('attach second')) expect(vmOf(idOf('create second')) === 'vm2', 'the second attachment is lost');
  if (done('detach first')) expect(vmOf(idOf('create first')) === undefined, 'the first volume is attached again');
  if (done('delete snapshot')) expect(snapshots.size === 0, 'the snapshot is back');
  if (done('delete first')) expect(first === undefined, 'the first volume is back');
  for (const { id, state, snapshotId } of volumes.values()) {
    const whole = world.volumes.get(id)?.blocks[1] === 'one';
    expect(snapshotId === null || state === 'error' || whole, `${id} is ${state} and not whole`);
  }
  return found;
}

/** Kills one life at a place, starts again, and answers what is wrong then. */
function killAt(place: number): Promise<string[]> {
  return inFolder(async (directory) => {
    const signal = await runChild(child, directory, place);
    if (signal !== 'SIGKILL') return [`the child ended by ${signal}`];
    const fills = await fillsOf(directory);
    const world = new World(join(directory, 'world'), { liveSnapshot: true });
    const opened = await openWorldStore(directory, world, { shortLimits: false });
    try {
      await untilQuiet(opened.store);
      const wrong = [
        ...(await disagreements(opened.metadata, world)),
        ...(await orphans(opened.metadata, world)),
        ...(await lost(opened, new Acknowledgements(directory))),
      ];
      for (const { pid, what, method, resource = '', detail } of world.acts.read()) {
        if (pid !== process.pid || what !== 'effect') continue;
        if (method === 'createSnapshot') wrong.push(`${resource} was taken after the restart`);
        const { fromBytes } = (detail ?? {}) as { fromBytes?: number };
        if (method === 'copy' && Number(fromBytes) < (fills.get(resource) ?? 0))
          wrong.push(`${resource} was copied again from ${fromBytes}`);
      }
      await clear(opened);
      return [...wrong, ...(await orphans(opened.metadata, world)).map((what) => `cleared: ${what}`)];
    } catch (error) {
      return [`${(error as Error).stack}`];
    } finally {
      await opened.store.close();
    }
  });
}

async function clear({ store }: WorldStore): Promise<void> {
  for (const { volumeId } of (await store.describeAttachments({ state: 'attached' })).items) await store.detachVolume({ volumeId }, wait);
  for (const { id } of (await store.describeSnapshots()).items) await store.deleteSnapshot({ snapshotId: id }, wait);
  for (const { id } of (await store.describeVolumes()).items) await store.deleteVolume({ volumeId: id }, wait);
}

test('killed at every commit and every plugin call › metadata, backend, exports and VMs agree after the restart, and nothing acknowledged is lost', async (t) => {
  t.timeout(280_000);
  const labels = await inFolder(async (directory) => {
    t.is(await runChild(child, directory, 0), null);
    return readLabels(directory);
  });
  const limit = pLimit(2);
  const wrong = await Promise.all(
    labels.map((label, index) => limit(async () => (await killAt(index + 1)).map((what) => `${index + 1} (${label}): ${what}`))),
  );
  t.log(`${labels.length} places`);
  t.deepEqual(wrong.flat().slice(0, 10), []);
});
