import { join } from 'node:path';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import test from 'ava';
import pLimit from 'p-limit';
import { disagreements, orphans } from '../../support/world/agreement.js';
import { blockBytes, World } from '../../support/world/world.js';
import { openWorldStore, silent, untilQuiet, type WorldStore } from '../../support/world/world-store.js';
import { openFiles } from './files-store.js';
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
function killAt(place: number, onResumed: (fromBytes: number) => void): Promise<string[]> {
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
        if (method !== 'copy') continue;
        const { fromBytes } = detail as { readonly fromBytes: number };
        onResumed(fromBytes);
        if (fromBytes < (fills.get(resource) ?? 0)) wrong.push(`${resource} was copied again from ${fromBytes}`);
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

test.serial(
  'killed at every commit and every plugin call › metadata, backend, exports and VMs agree after the restart, and nothing acknowledged is lost',
  async (t) => {
    t.timeout(280_000);
    const labels = await inFolder(async (directory) => {
      t.is(await runChild(child, directory, 0), null);
      return readLabels(directory);
    });
    const limit = pLimit(2);
    const resumedFrom = new Set<number>();
    const wrong = await Promise.all(
      labels.map((label, index) =>
        limit(async () =>
          (await killAt(index + 1, (fromBytes) => resumedFrom.add(fromBytes))).map((what) => `${index + 1} (${label}): ${what}`),
        ),
      ),
    );
    t.log(`${labels.length} places; fills were gone on with from ${[...resumedFrom].sort((one, other) => one - other).join(', ')}`);
    t.true(resumedFrom.has(blockBytes) && resumedFrom.has(2 * blockBytes), 'fills were interrupted half way');
    t.deepEqual(wrong.flat().slice(0, 10), []);
  },
);

const page = Buffer.alloc(4096, 'one');

/** Kills one life on the real plugins, whose exports and VMs end with the process, starts again, and answers what is wrong then. */
function killFilesAt(place: number): Promise<string[]> {
  return inFolder(async (directory) => {
    const signal = await runChild('kill-files-child.js', directory, place);
    if (signal !== 'SIGKILL') return [`the child ended by ${signal}`];
    const { store, vm } = await openFiles(directory, { times: { scanMs: 30, restoreMs: 100, pauseMs: () => 30 } });
    try {
      await untilQuiet(store);
      const told = new Acknowledgements(directory).read();
      const done = (step: string): string | undefined => told.find((entry) => entry.what === 'done' && entry.step === step)?.id;
      const began = (step: string): boolean => told.some((entry) => entry.step === step);
      const volumes = new Map((await store.describeVolumes()).items.map((volume) => [volume.id, volume]));
      const snapshots = (await store.describeSnapshots()).items;
      const { differences } = await store.reconcile();
      const wrong = differences.map(({ kind, id, what }) => `${kind} ${id} is ${what}`);
      const expect = (holds: boolean, what: string): void => void (holds || wrong.push(what));
      const written = told.some((entry) => entry.what === 'done' && entry.step === 'write');
      for (const { id, state, reason } of volumes.values())
        expect(['available', 'in-use', 'error'].includes(state), `${id} rests as ${state}: ${reason}`);
      for (const { id, state } of snapshots) expect(['completed', 'error'].includes(state), `${id} rests as ${state}`);
      if (done('create first') !== undefined) expect(volumes.has(done('create first') ?? ''), 'the first volume is lost');
      if (done('create snapshot') !== undefined) expect(snapshots[0]?.state === 'completed', 'the snapshot is lost');
      if (done('attach first') !== undefined && !began('detach first'))
        expect(vm('vm1').devices().length === 1, 'the first attachment is lost');
      if (done('attach second') !== undefined) expect(vm('vm2').devices().length === 1, 'the second attachment is lost');
      for (const { state, vmId, device } of (await store.describeAttachments()).items) {
        if (state === 'attached')
          expect((await vm(vmId).disk(device).read(4096, 4096)).equals(page) || !written, `${vmId} reads other bytes`);
        else expect(state === 'detached', `an attachment rests as ${state}`);
      }
      // Whatever was not attached is attached now, and has its bytes too.
      for (const { id, state } of volumes.values()) {
        if (state !== 'available') continue;
        await store.attachVolume({ volumeId: id, vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdc' }, wait);
        expect((await vm('vm1').disk('xvdc').read(4096, 4096)).equals(page) || !written, `${id} has other bytes`);
        await store.detachVolume({ volumeId: id }, wait);
      }
      return wrong;
    } catch (error) {
      return [`${(error as Error).stack}`];
    } finally {
      await store.close();
    }
  });
}

test.serial('killed on files, NBD and the sandbox › attachments are restored by the next start, with their bytes', async (t) => {
  t.timeout(280_000);
  const labels = await inFolder(async (directory) => {
    t.is(await runChild('kill-files-child.js', directory, 0), null);
    return readLabels(directory);
  });
  const limit = pLimit(2);
  const places = labels
    .map((label, index) => ({ label, place: index + 1 }))
    .filter(({ place }) => place % 3 === 0 || place === labels.length);
  const wrong = await Promise.all(
    places.map(({ label, place }) => limit(async () => (await killFilesAt(place)).map((what) => `${place} (${label}): ${what}`))),
  );
  t.log(`${places.length} of ${labels.length} places`);
  t.deepEqual(wrong.flat().slice(0, 10), []);
});
