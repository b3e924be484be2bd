import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { cannotMount, mountTmpfs } from '../plugins/file/mounts.js';
import { intercepting } from '../support/intercept.js';
import { dump, KiB, MiB, newStore, refusal, sameBytes, someBytes, until, vmmHost } from '../support/store.js';

const testFull = cannotMount ? test.skip : test;
const title = (text: string): string => (cannotMount ? `${text} (skipped: ${cannotMount})` : text);

/** Takes what is free but for `keepBytes`. */
async function fill(directory: string, keepBytes = 0): Promise<() => Promise<void>> {
  const { bavail, bsize } = await statfs(directory);
  const ballast = join(directory, 'ballast');
  await writeFile(ballast, Buffer.alloc(Math.max(bavail * bsize - keepBytes, 0), 1));
  return () => rm(ballast);
}

testFull(title('a full disk › refuses what is new, changes nothing, and all goes on when there is room'), async (t) => {
  const directory = await mountTmpfs(t, 32 * MiB);
  const { store, volume, writeTo, readFrom } = await newStore(t, { directory });
  const { id } = await volume(MiB);
  const bytes = someBytes(MiB);
  await writeTo(id, 0, bytes);
  const before = await dump(directory);
  const makeRoom = await fill(directory);
  await refusal(t, store.createVolume({ size: MiB }, { wait: true }), 'RESOURCE_EXHAUSTED');
  await refusal(t, store.createSnapshot({ volumeId: id }, { wait: true }), 'RESOURCE_EXHAUSTED');
  await refusal(t, store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true }), 'RESOURCE_EXHAUSTED');
  t.is((await store.describeVolumes()).items.length, 1);
  await makeRoom();
  t.deepEqual(await dump(directory), before);
  sameBytes(t, await readFrom(id, 0, MiB), bytes);
  t.is((await store.createVolume({ size: MiB }, { wait: true })).state, 'available');
  t.deepEqual((await store.reconcile()).differences, []);
});

testFull(title('a full disk › during the copy of a snapshot makes it error, leaves no part of it, and the next one works'), async (t) => {
  const directory = await mountTmpfs(t, 48 * MiB);
  const { store, volume, writeTo, readFrom } = await newStore(t, { directory });
  const { id } = await volume(8 * MiB);
  const bytes = someBytes(8 * MiB);
  await writeTo(id, 0, bytes);
  const makeRoom = await fill(directory, 4 * MiB);
  await refusal(t, store.createSnapshot({ volumeId: id }, { wait: true }), 'RESOURCE_EXHAUSTED');
  const [failed] = (await store.describeSnapshots()).items;
  t.is(failed?.state, 'error');
  t.regex(failed?.reason ?? '', /RESOURCE_EXHAUSTED/);
  t.deepEqual(await readdir(join(directory, 'pool', 'partial')), []);
  t.deepEqual(await readdir(join(directory, 'pool', 'snapshots')), []);
  await makeRoom();
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  await store.deleteSnapshot({ snapshotId: failed?.id ?? '' }, { wait: true });
  const copy = await store.createVolume({ snapshotId: snapshot.id }, { wait: true });
  sameBytes(t, await readFrom(copy.id, 0, 8 * MiB), bytes);
});

testFull(title('a full disk › of the pool alone, during a fill, makes the volume error, and it can be deleted'), async (t) => {
  const mounted = await mountTmpfs(t, 32 * MiB);
  const { store, volume, writeTo } = await newStore(t, {
    configuration: {
      volumeServers: {
        vs1: { backends: { files: { plugin: 'file', directory: join(mounted, 'pool') } }, exporters: { nbd: { plugin: 'nbd', port: 0 } } },
      },
    },
  });
  const { id } = await volume(8 * MiB);
  await writeTo(id, 0, someBytes(8 * MiB));
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const makeRoom = await fill(mounted, 4 * MiB);
  await refusal(t, store.createVolume({ snapshotId: snapshot.id }, { wait: true }), 'RESOURCE_EXHAUSTED');
  const [failed] = (await store.describeVolumes({ state: 'error' })).items;
  t.regex(failed?.reason ?? '', /RESOURCE_EXHAUSTED/);
  await makeRoom();
  t.is((await store.createVolume({ snapshotId: snapshot.id }, { wait: true })).state, 'available');
  await store.deleteVolume({ volumeId: failed?.id ?? '' }, { wait: true });
  t.deepEqual((await store.reconcile()).differences, []);
});

testFull(title('a full disk › of pool and journal, during a fill, holds the fill, which ends when there is room'), async (t) => {
  const directory = await mountTmpfs(t, 48 * MiB);
  const { store, volume, writeTo, readFrom } = await newStore(t, { directory });
  const { id } = await volume(8 * MiB);
  const bytes = someBytes(8 * MiB);
  await writeTo(id, 0, bytes);
  const snapshot = await store.createSnapshot({ volumeId: id }, { wait: true });
  const makeRoom = await fill(directory, 4 * MiB);
  await refusal(t, store.createVolume({ snapshotId: snapshot.id }, { wait: true }), 'RESOURCE_EXHAUSTED');
  await makeRoom();
  const ended = async () => (await store.describeVolumes()).items.find((found) => found.id !== id && found.state !== 'pending');
  await until('the fill has ended', async () => (await ended()) !== undefined);
  const filled = await ended();
  if (filled?.state === 'available') sameBytes(t, await readFrom(filled.id, 0, 8 * MiB), bytes);
  else t.regex(filled?.reason ?? '', /RESOURCE_EXHAUSTED/);
  await store.deleteVolume({ volumeId: filled?.id ?? '' }, { wait: true });
  t.deepEqual((await store.reconcile()).differences, []);
});

testFull(title('a full disk › that the journal meets after an act keeps the operation, which goes on when there is room'), async (t) => {
  const directory = await mountTmpfs(t, 32 * MiB);
  let makeRoom: (() => Promise<void>) | undefined;
  let armed = false;
  const { store, volume, readFrom } = await newStore(t, {
    directory,
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        const answer = await go();
        if (armed && method === 'createVolume') {
          armed = false;
          makeRoom = await fill(directory);
        }
        return answer;
      }),
  });
  await volume(MiB);
  armed = true;
  await refusal(t, store.createVolume({ size: MiB }, { wait: true }), 'RESOURCE_EXHAUSTED');
  const [pending] = (await store.describeVolumes({ state: 'pending' })).items;
  t.truthy(pending);
  await makeRoom?.();
  await until('available', async () => (await store.describeVolumes({ ids: [pending?.id ?? ''] })).items[0]?.state === 'available');
  sameBytes(t, await readFrom(pending?.id ?? '', 0, MiB), Buffer.alloc(MiB));
  t.deepEqual((await store.reconcile()).differences, []);
});

testFull(title('a full disk › under a guest fails its write, and harms nothing that it wrote before'), async (t) => {
  const directory = await mountTmpfs(t, 32 * MiB);
  const { store, volume, disk } = await newStore(t, { directory });
  const { id } = await volume(8 * MiB);
  await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const bytes = someBytes(MiB);
  const guest = disk('vm1', 'xvdb');
  await guest.write(0, bytes);
  await guest.flush();
  const makeRoom = await fill(directory, 64 * KiB);
  await t.throwsAsync(guest.write(MiB, someBytes(4 * MiB)));
  await makeRoom();
  sameBytes(t, await guest.read(0, MiB), bytes);
  const after = someBytes(4 * MiB);
  await guest.write(MiB, after);
  await guest.flush();
  sameBytes(t, await guest.read(MiB, 4 * MiB), after);
});
