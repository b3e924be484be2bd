import { readdirSync, writeFileSync } from 'node:fs';
import { open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { VbsError } from '@vbs/core';
import test from 'ava';
import {
  hashOf,
  type LogEntry,
  mebibyte,
  newCall,
  newDirectory,
  newId,
  newPool,
  newVolume,
  openBackend,
  rejectsWith,
  takeSnapshot,
} from './fixture.js';

test('createVolume › makes a file of the exact size that reads zeros and takes no room', async (t) => {
  const { backend, directory } = await newPool(t);
  const id = newId('vol');
  const volume = await backend.createVolume(newCall(), { id, sizeBytes: 3 * mebibyte + 512 });
  const file = path.join(directory, 'volumes', `${id}.img`);
  t.deepEqual(volume, { id, sizeBytes: 3 * mebibyte + 512, locator: { kind: 'file', path: file } });
  t.true((await readFile(file)).equals(Buffer.alloc(3 * mebibyte + 512)));
  const { blocks, mode } = await stat(file);
  t.is(blocks, 0);
  t.is(mode & 0o777, 0o600);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

test('createVolume › answers the volume that is there, with the bytes in it', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const before = await hashOf(volume.path);
  const again = await backend.createVolume(newCall(), volume);
  t.is(again.sizeBytes, volume.sizeBytes);
  t.is(await hashOf(volume.path), before);
});

test('createVolume › refuses an id that has another size', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  await rejectsWith(t, backend.createVolume(newCall(), { id: volume.id, sizeBytes: 2 * mebibyte }), 'ALREADY_EXISTS');
  t.is((await stat(volume.path)).size, mebibyte);
});

test('createVolume › many at once for one id make one volume and all are answered it', async (t) => {
  const { backend } = await newPool(t);
  const id = newId('vol');
  const answers = await Promise.all([1, 2, 3, 4].map(() => backend.createVolume(newCall(), { id, sizeBytes: mebibyte })));
  t.deepEqual(await backend.listVolumes(newCall()), answers.slice(0, 1));
});

test('createVolume › never replaces what another process made meanwhile, even where no guard holds them apart', async (t) => {
  const { backend, directory } = await newPool(t);
  const id = newId('vol');
  const target = path.join(directory, 'volumes', `${id}.img`);
  const { signal } = new AbortController();
  // The signal is looked at last between the partial file's end and its name: there the other one comes in.
  Object.defineProperty(signal, 'aborted', {
    get: () => {
      if (readdirSync(path.join(directory, 'partial')).length > 0) writeFileSync(target, 'theirs');
      return false;
    },
  });
  await rejectsWith(t, backend.createVolume(newCall({ signal }), { id, sizeBytes: mebibyte }), 'ABORTED');
  t.is(await readFile(target, 'utf8'), 'theirs');
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

test('deleteVolume › removes the volume alone, and succeeds again', async (t) => {
  const { backend } = await newPool(t);
  const [gone, neighbour] = [await newVolume(backend), await newVolume(backend)];
  const snapshotId = await takeSnapshot(backend, gone.id);
  const before = await hashOf(neighbour.path);
  await backend.deleteVolume(newCall(), gone);
  await backend.deleteVolume(newCall(), gone);
  t.deepEqual(
    (await backend.listVolumes(newCall())).map(({ id }) => id),
    [neighbour.id],
  );
  t.is(await hashOf(neighbour.path), before);
  t.deepEqual(
    (await backend.listSnapshots(newCall())).map(({ id }) => id),
    [snapshotId],
  );
});

test('listVolumes › has what is whole and nothing else, and says so in the log', async (t) => {
  const entries: LogEntry[] = [];
  const { backend, directory } = await newPool(t, { entries });
  const volume = await newVolume(backend);
  await writeFile(path.join(directory, 'partial', `${newId('vol')}.img.0123456789abcdef.partial`), 'half');
  await writeFile(path.join(directory, 'volumes', 'notes.txt'), 'a stranger');
  await symlink('/etc/passwd', path.join(directory, 'volumes', `${newId('vol')}.img`));
  t.deepEqual(await backend.listVolumes(newCall()), [{ id: volume.id, sizeBytes: mebibyte, locator: { kind: 'file', path: volume.path } }]);
  t.is(entries.filter(({ level }) => level === 'warn').length, 2);
});

test('symbolic links › are never followed to the bytes of another file', async (t) => {
  const { backend, directory } = await newPool(t);
  const victim = path.join(await newDirectory(t), 'victim');
  await writeFile(victim, 'precious');
  const id = newId('vol');
  await symlink(victim, path.join(directory, 'volumes', `${id}.img`));
  await rejectsWith(t, backend.createVolume(newCall(), { id, sizeBytes: 512 }), 'FAILED_PRECONDITION');
  await rejectsWith(t, backend.extendVolume(newCall(), { id, sizeBytes: 512 }), 'FAILED_PRECONDITION');
  await rejectsWith(t, backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: id }), 'FAILED_PRECONDITION');
  await backend.deleteVolume(newCall(), { id });
  t.is(await readFile(victim, 'utf8'), 'precious');
});

test('extendVolume › grows by zeros while the file is open, keeps the bytes, and never shrinks', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes: mebibyte + 512 });
  const before = await readFile(volume.path);
  const extended = await backend.extendVolume(newCall(), { id: volume.id, sizeBytes: 3 * mebibyte });
  t.is(extended.sizeBytes, 3 * mebibyte);
  const after = await readFile(volume.path);
  t.is(after.length, 3 * mebibyte);
  t.true(after.subarray(0, before.length).equals(before));
  t.true(after.subarray(before.length).equals(Buffer.alloc(3 * mebibyte - before.length)));
  for (const sizeBytes of [3 * mebibyte, mebibyte]) {
    t.is((await backend.extendVolume(newCall(), { id: volume.id, sizeBytes })).sizeBytes, 3 * mebibyte);
  }
  t.is((await stat(volume.path)).size, 3 * mebibyte);
  await rejectsWith(t, backend.extendVolume(newCall(), { id: newId('vol'), sizeBytes: mebibyte }), 'NOT_FOUND');
});

test('getCapacity › tells what the file system has, and the sum of what was promised', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes: 5 * mebibyte, extents: [] });
  await newVolume(backend, { sizeBytes: mebibyte, extents: [] });
  await takeSnapshot(backend, volume.id);
  const { totalBytes, availableBytes, provisionedBytes } = await backend.getCapacity(newCall());
  t.is(provisionedBytes, 11 * mebibyte);
  t.true(availableBytes > 0 && totalBytes > availableBytes);
});

test('calls › one that is aborted before it begins changes nothing and says why', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const late = new VbsError('DEADLINE_EXCEEDED', 'too late');
  const call = newCall({ signal: AbortSignal.abort(late) });
  t.is(await t.throwsAsync(backend.deleteVolume(call, volume)), late);
  t.is(await t.throwsAsync(backend.createVolume(call, { id: newId('vol'), sizeBytes: 512 })), late);
  t.is((await backend.listVolumes(newCall())).length, 1);
});

test('safety B1 › every changing act runs under the guard of what it changes, and not at all when the guard refuses', async (t) => {
  const { backend, directory } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const guards: string[] = [];
  const stale = await openBackend(directory, {
    guarded: async (_call, resource) => {
      guards.push(resource);
      throw new VbsError('ABORTED', 'a higher epoch was seen');
    },
  });
  const [id, newSnapshot] = [newId('vol'), newId('snap')];
  const acts: [() => Promise<unknown>, string][] = [
    [() => stale.createVolume(newCall(), { id, sizeBytes: 512 }), id],
    [() => stale.deleteVolume(newCall(), volume), volume.id],
    [() => stale.createSnapshot(newCall(), { id: newSnapshot, volumeId: volume.id }), newSnapshot],
    [() => stale.deleteSnapshot(newCall(), { id: snapshotId }), snapshotId],
    [() => stale.populateVolume(newCall(), { id: volume.id, snapshotId, fromBytes: 0 }), volume.id],
    [() => stale.cloneVolume(newCall(), { id, sizeBytes: mebibyte, snapshotId }), id],
    [() => stale.extendVolume(newCall(), { id: volume.id, sizeBytes: 2 * mebibyte }), volume.id],
  ];
  for (const [act] of acts) await t.throwsAsync(act, { code: 'ABORTED' });
  t.deepEqual(
    guards,
    acts.map(([, resource]) => resource),
  );
  t.deepEqual(
    (await backend.listVolumes(newCall())).map((found) => [found.id, found.sizeBytes]),
    [[volume.id, mebibyte]],
  );
  t.deepEqual(
    (await backend.listSnapshots(newCall())).map((found) => found.id),
    [snapshotId],
  );
});

test('safety B1 › a call with an epoch that was overtaken changes nothing', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  await backend.extendVolume(newCall({ epoch: 7 }), { id: volume.id, sizeBytes: 2 * mebibyte });
  await rejectsWith(t, backend.deleteVolume(newCall({ epoch: 6 }), volume), 'ABORTED');
  await rejectsWith(t, backend.extendVolume(newCall({ epoch: 6 }), { id: volume.id, sizeBytes: 4 * mebibyte }), 'ABORTED');
  t.is((await stat(volume.path)).size, 2 * mebibyte);
});

test('deleteVolume › leaves what has the file open its bytes', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const handle = await open(volume.path, 'r');
  await backend.deleteVolume(newCall(), volume);
  t.is((await handle.stat()).size, mebibyte);
  await handle.close();
});
