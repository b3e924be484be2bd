import { open, readdir, readFile, stat, statfs, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { startWriter } from './counting-writer.js';
import { hashOf, kibibyte, mebibyte, newCall, newId, newTarget, newVolume, openBackend, scribble, snapshotPath } from './fixture.js';
import { cannotMount, mountTmpfs, mountXfs, noXfs, remount, unmount } from './mounts.js';

const known = { store: { knowsPool: true } };
const onMount = cannotMount ? test.skip : test;
const mountTitle = (title: string) => (cannotMount ? `${title} (skipped: ${cannotMount})` : title);
const onXfs = noXfs ? test.skip : test;
const xfsTitle = (title: string) => (noXfs ? `${title} (skipped: ${noXfs})` : `${title} (XFS on a loop device)`);

onMount(mountTitle('tmpfs › has no reflinks, and says so by its capabilities'), async (t) => {
  const directory = await mountTmpfs(t, 4 * mebibyte);
  const backend = await openBackend(directory);
  t.deepEqual([...backend.capabilities].sort(), ['extend', 'snapshot', 'thin']);
  const volume = await newVolume(backend);
  const { id } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const clone = backend.cloneVolume(newCall(), { id: newId('vol'), sizeBytes: mebibyte, snapshotId: id });
  await t.throwsAsync(clone, { code: 'UNSUPPORTED' });
  t.is((await backend.listVolumes(newCall())).length, 1);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

onMount(mountTitle('a full disk › RESOURCE_EXHAUSTED, nothing half made, and room again after a delete'), async (t) => {
  const directory = await mountTmpfs(t, 2 * mebibyte + 256 * kibibyte);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend);
  const before = await hashOf(volume.path);
  const snapshot = { id: newId('snap'), volumeId: volume.id };
  await writeFile(path.join(directory, 'ballast'), Buffer.alloc(512 * kibibyte));
  const error = await t.throwsAsync(backend.createSnapshot(newCall(), snapshot), { instanceOf: VbsError });
  t.is(error.code, 'RESOURCE_EXHAUSTED');
  t.regex(error.message, /no room left: delete volumes or snapshots/);
  t.deepEqual(await backend.listSnapshots(newCall()), []);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
  t.is(await hashOf(volume.path), before);
  await unlink(path.join(directory, 'ballast'));
  await backend.createSnapshot(newCall(), snapshot);
  t.is(await hashOf(snapshotPath(directory, snapshot.id, volume.id)), before);
});

onMount(mountTitle('a full disk › a fill stops with RESOURCE_EXHAUSTED and goes on when there is room'), async (t) => {
  const directory = await mountTmpfs(t, 3 * mebibyte + 256 * kibibyte);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend);
  const { id: snapshotId } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const target = await newTarget(backend);
  await writeFile(path.join(directory, 'ballast'), Buffer.alloc(640 * kibibyte));
  const populate = () => backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: 0 });
  await t.throwsAsync(populate, { code: 'RESOURCE_EXHAUSTED' });
  await unlink(path.join(directory, 'ballast'));
  await populate();
  t.is(await hashOf(target.path), await hashOf(volume.path));
});

onMount(mountTitle('a full disk › the pool still opens, and its volumes can be deleted'), async (t) => {
  const directory = await mountTmpfs(t, 2 * mebibyte);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend);
  const { bavail, bsize } = await statfs(directory);
  await writeFile(path.join(directory, 'ballast'), Buffer.alloc(bavail * bsize));
  const again = await openBackend(directory, known);
  t.deepEqual([...again.capabilities].sort(), ['extend', 'snapshot']);
  await again.deleteVolume(newCall(), volume);
  t.deepEqual(await again.listVolumes(newCall()), []);
});

onMount(mountTitle('a read-only directory › changes are refused with what to do, lists are answered, nothing is lost'), async (t) => {
  const directory = await mountTmpfs(t, 4 * mebibyte);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend);
  await remount(directory, 'ro');
  for (const act of [
    () => backend.createVolume(newCall(), { id: newId('vol'), sizeBytes: mebibyte }),
    () => backend.deleteVolume(newCall(), volume),
    () => backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id }),
    () => backend.extendVolume(newCall(), { id: volume.id, sizeBytes: 2 * mebibyte }),
    () => openBackend(directory, known),
  ]) {
    const error = await t.throwsAsync(act, { instanceOf: VbsError });
    t.is(error.code, 'FAILED_PRECONDITION');
    t.regex(error.message, /mount it read-write/);
  }
  t.regex((await backend.check(newCall())).join(), /mount it read-write/);
  t.deepEqual(
    (await backend.listVolumes(newCall())).map(({ id }) => id),
    [volume.id],
  );
  await remount(directory, 'rw');
  t.deepEqual(await backend.check(newCall()), []);
});

onMount(mountTitle('safety D1 › an unmounted disk is UNAVAILABLE, and its mount point stays empty'), async (t) => {
  const directory = await mountTmpfs(t, mebibyte);
  const backend = await openBackend(directory);
  await unmount(directory);
  await t.throwsAsync(backend.listVolumes(newCall()), { code: 'UNAVAILABLE' });
  await t.throwsAsync(backend.deleteVolume(newCall(), { id: newId('vol') }), { code: 'UNAVAILABLE' });
  await t.throwsAsync(backend.createVolume(newCall(), { id: newId('vol'), sizeBytes: 512 }), { code: 'UNAVAILABLE' });
  await t.throwsAsync(openBackend(directory, known), { code: 'UNAVAILABLE' });
  t.deepEqual(await readdir(directory), []);
});

onXfs(xfsTitle('reflink › is found, and snapshot and clone take no room and have the same bytes'), async (t) => {
  const directory = await mountXfs(t);
  const backend = await openBackend(directory);
  t.deepEqual([...backend.capabilities].sort(), ['extend', 'instant-clone', 'live-snapshot', 'snapshot', 'thin']);
  const sizeBytes = 48 * mebibyte + 512;
  const volume = await newVolume(backend, { sizeBytes });
  const before = await hashOf(volume.path);
  const freeBefore = (await backend.getCapacity(newCall())).availableBytes;
  const { id: snapshotId } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const clone = { id: newId('vol'), sizeBytes: 64 * mebibyte, snapshotId };
  const { locator } = await backend.cloneVolume(newCall(), clone);
  t.true(freeBefore - (await backend.getCapacity(newCall())).availableBytes < 4 * mebibyte);
  const bytes = await readFile(locator.path);
  t.is(bytes.length, clone.sizeBytes);
  t.true(bytes.subarray(0, sizeBytes).equals(await readFile(volume.path)));
  t.true(bytes.subarray(sizeBytes).equals(Buffer.alloc(clone.sizeBytes - sizeBytes)));
  t.is((await stat(locator.path)).mode & 0o777, 0o600);

  await scribble(locator.path, [{ offset: 0, length: mebibyte }]);
  await scribble(volume.path, [{ offset: mebibyte, length: mebibyte }]);
  t.is(await hashOf(snapshotPath(directory, snapshotId, volume.id)), before);
  const written = await hashOf(locator.path);
  t.deepEqual(await backend.cloneVolume(newCall(), clone), { id: clone.id, sizeBytes: clone.sizeBytes, locator });
  t.is(await hashOf(locator.path), written);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

onXfs(xfsTitle('cloneVolume › refuses too small a size, an absent snapshot, and an id that has another size'), async (t) => {
  const backend = await openBackend(await mountXfs(t));
  const volume = await newVolume(backend, { sizeBytes: 2 * mebibyte });
  const { id: snapshotId } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const clone = (id: string, sizeBytes: number, from = snapshotId) => backend.cloneVolume(newCall(), { id, sizeBytes, snapshotId: from });
  const error = await t.throwsAsync(clone(newId('vol'), mebibyte), { instanceOf: VbsError, code: 'OUT_OF_RANGE' });
  t.is(error.context.leastBytes, 2 * mebibyte);
  await t.throwsAsync(clone(newId('vol'), 2 * mebibyte, newId('snap')), { code: 'NOT_FOUND' });
  await t.throwsAsync(clone(volume.id, 4 * mebibyte), { code: 'ALREADY_EXISTS' });
  t.is((await backend.listVolumes(newCall())).length, 1);
});

onXfs(xfsTitle('safety C2 › a snapshot under writes is of one instant: all that was flushed before, none issued after'), async (t) => {
  const directory = await mountXfs(t);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend, { sizeBytes: 16 * mebibyte, extents: [] });
  const writer = await startWriter(volume.path);
  t.teardown(() => writer.stop());
  await writer.reached(500);
  for (let round = 0; round < 5; round++) {
    const flushedBefore = writer.flushed();
    const { id } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
    const issuedBeforeAnswer = writer.issued();
    await writer.reached(issuedBeforeAnswer + 200);
    const bytes = await readFile(snapshotPath(directory, id, volume.id));
    const last = writer.lastWriteIn(bytes);
    t.true(last >= flushedBefore && last <= issuedBeforeAnswer, `${flushedBefore} <= ${last} <= ${issuedBeforeAnswer}`);
    t.deepEqual(writer.missingIn(bytes, last), []);
  }
  await writer.stop();
});

onXfs(xfsTitle('extendVolume › grows a clone that shares its blocks, and what is added reads zeros'), async (t) => {
  const directory = await mountXfs(t);
  const backend = await openBackend(directory);
  const volume = await newVolume(backend, { sizeBytes: mebibyte + 512 });
  const { id: snapshotId } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const { id, locator } = await backend.cloneVolume(newCall(), { id: newId('vol'), sizeBytes: mebibyte + 512, snapshotId });
  const held = await open(locator.path, 'r');
  await backend.extendVolume(newCall(), { id, sizeBytes: 4 * mebibyte });
  t.is((await held.stat()).size, 4 * mebibyte);
  await held.close();
  const bytes = await readFile(locator.path);
  t.true(bytes.subarray(mebibyte + 512).equals(Buffer.alloc(3 * mebibyte - 512)));
  t.is((await stat(snapshotPath(directory, snapshotId, volume.id))).size, mebibyte + 512);
});
