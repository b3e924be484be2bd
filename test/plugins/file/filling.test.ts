import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import {
  hashOf,
  kibibyte,
  mebibyte,
  newCall,
  newId,
  newPool,
  newTarget,
  newVolume,
  openBackend,
  rejectsWith,
  takeSnapshot,
} from './fixture.js';

const known = { store: { knowsPool: true } };
const mostPlaces = 100;

/** Ends with what the child printed; it is killed at its place, or says that it was done before. */
function dieAt(place: number, directory: string, ...others: readonly (string | number)[]): Promise<string> {
  const script = fileURLToPath(new URL('dying-child.js', import.meta.url));
  const given = [script, directory, place, ...others].map(String);
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, given, { timeout: 60_000 }, (error, stdout) => {
      if (error === null || child.signalCode === 'SIGKILL') resolve(stdout);
      else reject(error);
    });
  });
}

test('createVolume › a volume to be filled lies under a name that says so, until its fill has ended', async (t) => {
  const { backend, directory } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const id = newId('vol');
  const made = await backend.createVolume(newCall(), { id, sizeBytes: 2 * mebibyte, toBeFilled: true });
  const fillingPath = path.join(directory, 'volumes', `${id}.filling.img`);
  t.deepEqual(made, { id, sizeBytes: 2 * mebibyte, locator: { kind: 'file', path: fillingPath }, filling: true });
  t.deepEqual(await backend.createVolume(newCall(), { id, sizeBytes: 2 * mebibyte, toBeFilled: true }), made);
  t.deepEqual((await backend.listVolumes(newCall()))[1], made);
  t.is((await backend.getCapacity(newCall())).provisionedBytes, 4 * mebibyte);
  const filled = await backend.populateVolume(newCall(), { id, snapshotId, fromBytes: 0 });
  const file = path.join(directory, 'volumes', `${id}.img`);
  t.deepEqual(filled, { id, sizeBytes: 2 * mebibyte, locator: { kind: 'file', path: file } });
  t.deepEqual((await backend.listVolumes(newCall()))[1], filled);
  t.true((await readFile(file)).subarray(0, mebibyte).equals(await readFile(volume.path)));
  t.deepEqual((await readdir(path.join(directory, 'volumes'))).length, 2);
  t.deepEqual(await backend.createVolume(newCall(), { id, sizeBytes: 2 * mebibyte, toBeFilled: true }), filled, 'whole is better');
});

test('a volume that is filled › is answered as whole, extended, copied and cloned by nobody', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend);
  const snapshotId = await takeSnapshot(backend, volume.id);
  const target = await newTarget(backend);
  const before = await backend.listVolumes(newCall());
  const { id } = target;
  await rejectsWith(t, backend.createVolume(newCall(), { id, sizeBytes: mebibyte }), 'ALREADY_EXISTS', /to be filled/);
  await rejectsWith(t, backend.createVolume(newCall(), { id, sizeBytes: 512, toBeFilled: true }), 'ALREADY_EXISTS', /1048576 bytes/);
  await rejectsWith(t, backend.cloneVolume(newCall(), { id, sizeBytes: mebibyte, snapshotId }), 'ALREADY_EXISTS');
  await rejectsWith(t, backend.extendVolume(newCall(), { id, sizeBytes: 2 * mebibyte }), 'FAILED_PRECONDITION', /not whole/);
  await rejectsWith(t, backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: id }), 'FAILED_PRECONDITION', /not whole/);
  t.deepEqual(await backend.listVolumes(newCall()), before);
  await backend.deleteVolume(newCall(), { id });
  t.false(existsSync(target.fillingPath));
  t.like(await backend.listVolumes(newCall()), { length: 1 });
});

test('listVolumes › never misses a volume that becomes whole at that moment, and lists it once', async (t) => {
  const { backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes: 4 * kibibyte });
  const snapshotId = await takeSnapshot(backend, volume.id);
  for (let round = 0; round < 20; round++) {
    const { id } = await newTarget(backend, 4 * kibibyte);
    let filled = false;
    const fill = backend.populateVolume(newCall(), { id, snapshotId, fromBytes: 0 }).then(() => {
      filled = true;
    });
    do t.is((await backend.listVolumes(newCall())).filter((listed) => listed.id === id).length, 1);
    while (!filled);
    await fill;
  }
});

test('safety C5 › killed between any two acts, a fill leaves a volume that is filling or whole, and never half of one', async (t) => {
  t.timeout(180_000);
  const { directory, backend } = await newPool(t);
  const sizeBytes = 64 * kibibyte;
  const volume = await newVolume(backend, { sizeBytes });
  const snapshotId = await takeSnapshot(backend, volume.id);
  const content = await hashOf(volume.path);
  const seen = new Set<string>();
  let place = 1;
  for (; place < mostPlaces; place++) {
    const id = newId('vol');
    if ((await dieAt(place, directory, id, snapshotId, sizeBytes)) === 'done\n') break;
    const again = await openBackend(directory, known);
    const found = (await again.listVolumes(newCall())).filter((listed) => listed.id === id);
    t.true(found.length <= 1);
    const [left] = found;
    seen.add(left === undefined ? 'absent' : left.filling ? 'filling' : 'whole');
    if (left !== undefined && !left.filling) t.is(await hashOf(left.locator.path), content, `killed at ${place}`);
    await again.createVolume(newCall(), { id, sizeBytes, toBeFilled: true });
    const filled = await again.populateVolume(newCall(), { id, snapshotId, fromBytes: 0 });
    t.is(await hashOf(filled.locator.path), content, `killed at ${place}, and filled again`);
    t.deepEqual(await readdir(path.join(directory, 'partial')), []);
    await again.deleteVolume(newCall(), { id });
    t.deepEqual(await again.listVolumes(newCall()), await backend.listVolumes(newCall()));
    t.like(await again.listVolumes(newCall()), { length: 1 });
  }
  t.log(`${place - 1} places`);
  t.true(place > 8 && place < mostPlaces);
  t.deepEqual([...seen].sort(), ['absent', 'filling', 'whole']);
});
