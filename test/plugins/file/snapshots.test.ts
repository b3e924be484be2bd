import { readFile, stat } from 'node:fs/promises';
import test from 'ava';
import {
  callAbortedAtProgress,
  hashOf,
  kibibyte,
  mebibyte,
  newCall,
  newId,
  newPool,
  newTarget,
  newVolume,
  rejectsWith,
  scribble,
  snapshotPath,
  takeSnapshot,
} from './fixture.js';

const sparse = { sizeBytes: 8 * mebibyte, extents: [{ offset: 4 * mebibyte, length: 64 * kibibyte }] };

test('createSnapshot › keeps the bytes and the holes, whatever is written to or becomes of the volume', async (t) => {
  const { backend, directory } = await newPool(t);
  const volume = await newVolume(backend, sparse);
  const before = await hashOf(volume.path);
  const snapshotId = newId('snap');
  const snapshot = await backend.createSnapshot(newCall(), { id: snapshotId, volumeId: volume.id });
  t.deepEqual(snapshot, { id: snapshotId, volumeId: volume.id, sizeBytes: sparse.sizeBytes });
  await scribble(volume.path, [{ offset: 4 * mebibyte, length: kibibyte }]);
  const file = snapshotPath(directory, snapshotId, volume.id);
  t.is(await hashOf(file), before);
  t.true((await stat(file)).blocks * 512 < mebibyte);
  await backend.deleteVolume(newCall(), volume);
  t.is(await hashOf(file), before);
  t.deepEqual(await backend.listSnapshots(newCall()), [snapshot]);
});

test('createSnapshot › answers the one that is there and never takes it again', async (t) => {
  const { backend, directory } = await newPool(t);
  const volume = await newVolume(backend);
  const id = await takeSnapshot(backend, volume.id);
  const before = await hashOf(snapshotPath(directory, id, volume.id));
  await scribble(volume.path, [{ offset: 0, length: kibibyte }]);
  await backend.extendVolume(newCall(), { id: volume.id, sizeBytes: 2 * mebibyte });
  t.is((await backend.createSnapshot(newCall(), { id, volumeId: volume.id })).sizeBytes, mebibyte);
  t.is(await hashOf(snapshotPath(directory, id, volume.id)), before);
});

test('createSnapshot › answers the one that is there when its volume is gone', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const id = await takeSnapshot(backend, volume.id);
  await backend.deleteVolume(newCall(), volume);
  t.is((await backend.createSnapshot(newCall(), { id, volumeId: volume.id })).id, id);
});

test('createSnapshot › refuses an id that is a snapshot of another volume, and an absent volume', async (t) => {
  const { backend } = await newPool(t);
  const [one, two] = [await newVolume(backend), await newVolume(backend)];
  const id = await takeSnapshot(backend, one.id);
  await rejectsWith(t, backend.createSnapshot(newCall(), { id, volumeId: two.id }), 'ALREADY_EXISTS');
  const absent = newId('vol');
  const error = await rejectsWith(t, backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: absent }), 'NOT_FOUND');
  t.is(error.resource, absent);
  t.is((await backend.listSnapshots(newCall())).length, 1);
});

test('deleteSnapshot › removes the snapshot alone, and succeeds again', async (t) => {
  const { backend, directory } = await newPool(t);
  const volume = await newVolume(backend);
  const [gone, neighbour] = [await takeSnapshot(backend, volume.id), await takeSnapshot(backend, volume.id)];
  const before = await hashOf(volume.path);
  await backend.deleteSnapshot(newCall(), { id: gone });
  await backend.deleteSnapshot(newCall(), { id: gone });
  t.deepEqual(
    (await backend.listSnapshots(newCall())).map(({ id }) => id),
    [neighbour],
  );
  t.is(await hashOf(volume.path), before);
  t.is(await hashOf(snapshotPath(directory, neighbour, volume.id)), before);
});

test('populateVolume › copies bytes and holes to the start of a larger volume, zeros behind', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, sparse);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend, 12 * mebibyte);
  const reported: [number, number][] = [];
  await backend.populateVolume(newCall({ progress: (...done) => reported.push(done) }), { id: target.id, snapshotId, fromBytes: 0 });
  const [from, into] = [await readFile(volume.path), await readFile(target.path)];
  t.true(into.subarray(0, sparse.sizeBytes).equals(from));
  t.true(into.subarray(sparse.sizeBytes).equals(Buffer.alloc(4 * mebibyte)));
  t.true((await stat(target.path)).blocks * 512 < mebibyte);
  t.deepEqual(reported.at(-1), [sparse.sizeBytes, sparse.sizeBytes]);
});

test('populateVolume › of a volume that is whole copies nothing, also when the snapshot is gone', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend);
  const filled = await backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: 0 });
  t.is(await hashOf(target.path), await hashOf(volume.path));
  await scribble(target.path, [{ offset: 0, length: kibibyte }]);
  const written = await hashOf(target.path);
  await backend.deleteSnapshot(newCall(), { id: snapshotId });
  for (const fromBytes of [0, mebibyte]) {
    t.deepEqual(await backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes }), filled);
  }
  t.is(await hashOf(target.path), written);
});

test('populateVolume › copies nothing below fromBytes', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend);
  await backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: 512 * kibibyte });
  const [from, into] = [await readFile(volume.path), await readFile(target.path)];
  t.true(into.subarray(0, 512 * kibibyte).equals(Buffer.alloc(512 * kibibyte)));
  t.true(into.subarray(512 * kibibyte).equals(from.subarray(512 * kibibyte)));
});

test('populateVolume › aborted in the middle ends soon, and goes on from what it reported', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes: 80 * mebibyte });
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend, 80 * mebibyte);
  const { call, reported } = callAbortedAtProgress();
  await rejectsWith(t, backend.populateVolume(call, { id: target.id, snapshotId, fromBytes: 0 }), 'ABORTED');
  t.is(reported.length, 1);
  t.true((reported[0] ?? 0) > 0 && (reported[0] ?? 0) < 80 * mebibyte);
  await backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: reported[0] ?? 0 });
  t.is(await hashOf(target.path), await hashOf(volume.path));
});

test('populateVolume › refuses a volume that is too small with the least legal size', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes: 2 * mebibyte });
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend);
  const error = await rejectsWith(t, backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: 0 }), 'OUT_OF_RANGE');
  t.is(error.context.leastBytes, 2 * mebibyte);
  t.is((await stat(target.fillingPath)).blocks, 0);
  t.like(await backend.listVolumes(newCall()), [{ id: volume.id }, { id: target.id, filling: true }]);
});

test('populateVolume › names what is absent, and refuses an offset outside the snapshot', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const [noVolume, noSnapshot] = [newId('vol'), newId('snap')];
  const absentVolume = backend.populateVolume(newCall(), { id: noVolume, snapshotId, fromBytes: 0 });
  t.is((await rejectsWith(t, absentVolume, 'NOT_FOUND')).resource, noVolume);
  const target = await newTarget(backend);
  const absentSnapshot = backend.populateVolume(newCall(), { id: target.id, snapshotId: noSnapshot, fromBytes: 0 });
  t.is((await rejectsWith(t, absentSnapshot, 'NOT_FOUND')).resource, noSnapshot);
  for (const [fromBytes, code] of [
    [-1, 'OUT_OF_RANGE'],
    [mebibyte + 1, 'OUT_OF_RANGE'],
    [0.5, 'INVALID_ARGUMENT'],
  ] as const) {
    const error = await rejectsWith(t, backend.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes }), code);
    t.is(error.context.field, 'fromBytes');
  }
});
