import { execFile } from 'node:child_process';
import { chmod, link, mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VbsError } from '@vbs/core';
import type { FileVolumeBackend } from '@vbs/plugin-file';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import {
  hashOf,
  mebibyte,
  newCall,
  newDirectory,
  newId,
  newPool,
  newVolume,
  openBackend,
  otherStore,
  ourStore,
  rejectsWith,
} from './fixture.js';

const marker = (directory: string) => path.join(directory, 'vbs-store.json');
const known = { store: { knowsPool: true } };

/** Every method that looks at the pool, on a volume that was there. */
function acts(backend: FileVolumeBackend, id: string): Record<string, () => Promise<unknown>> {
  const [newVolumeId, snapshotId] = [newId('vol'), newId('snap')];
  return {
    listVolumes: () => backend.listVolumes(newCall()),
    listSnapshots: () => backend.listSnapshots(newCall()),
    getCapacity: () => backend.getCapacity(newCall()),
    createVolume: () => backend.createVolume(newCall(), { id: newVolumeId, sizeBytes: mebibyte }),
    deleteVolume: () => backend.deleteVolume(newCall(), { id }),
    createSnapshot: () => backend.createSnapshot(newCall(), { id: snapshotId, volumeId: id }),
    deleteSnapshot: () => backend.deleteSnapshot(newCall(), { id: snapshotId }),
    populateVolume: () => backend.populateVolume(newCall(), { id, snapshotId, fromBytes: 0 }),
    cloneVolume: () => backend.cloneVolume(newCall(), { id: newVolumeId, sizeBytes: mebibyte, snapshotId }),
    extendVolume: () => backend.extendVolume(newCall(), { id, sizeBytes: 2 * mebibyte }),
  };
}

test('manifest › declares what a directory may be able to do, and admits a directory alone', (t) => {
  const provider = filePlugin.provides.volumeBackend;
  t.is(filePlugin.name, 'file');
  t.deepEqual([...provider.capabilities].sort(), ['extend', 'instant-clone', 'live-snapshot', 'snapshot', 'thin']);
  t.deepEqual(provider.locators, ['file']);
  t.is(provider.machine, 'local');
  t.deepEqual(provider.configSchema.required, ['directory']);
  t.is(provider.configSchema.additionalProperties, false);
});

test('open › makes the directory and marks it with the store, readable by nobody else', async (t) => {
  const { directory, backend } = await newPool(t);
  t.deepEqual(JSON.parse(await readFile(marker(directory), 'utf8')), { format: 1, storeId: ourStore, backend: 'vs1/files' });
  t.deepEqual((await readdir(directory)).sort(), ['partial', 'snapshots', 'vbs-store.json', 'volumes']);
  t.is((await stat(directory)).mode & 0o777, 0o700);
  t.is((await stat(marker(directory))).mode & 0o777, 0o600);
  t.is(backend.granularityBytes, 512);
  t.is(backend.snapshotKind, 'independent');
  t.deepEqual(await backend.check(newCall()), []);
});

test('open › finds its volumes again, and leaves the marker as it is', async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend);
  const written = await stat(marker(directory));
  const again = await openBackend(directory, known);
  t.deepEqual(
    (await again.listVolumes(newCall())).map(({ id }) => id),
    [volume.id],
  );
  t.is((await stat(marker(directory))).ino, written.ino);
});

test('open › many at once for one store and a new directory all succeed, with one marker', async (t) => {
  const directory = path.join(await newDirectory(t), 'pool');
  await Promise.all([1, 2, 3, 4, 5, 6].map(() => openBackend(directory)));
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

test('open › two stores at once in a new directory: one gets it, the other is told whose it is', async (t) => {
  const directory = path.join(await newDirectory(t), 'pool');
  const answers = await Promise.allSettled([openBackend(directory), openBackend(directory, { store: { id: otherStore } })]);
  const { storeId } = JSON.parse(await readFile(marker(directory), 'utf8'));
  t.deepEqual(answers.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const lost = answers.find((answer) => answer.status === 'rejected');
  t.is(lost?.reason.code, 'FAILED_PRECONDITION');
  t.is(lost?.reason.context.storeId, storeId);
});

test("safety D1 › a directory of another store is refused with its owner's name, and nothing in it changes", async (t) => {
  const { directory, backend } = await newPool(t, { store: { id: otherStore } });
  const volume = await newVolume(backend);
  const before = await hashOf(volume.path);
  for (const knowsPool of [false, true]) {
    await rejectsWith(
      t,
      openBackend(directory, { store: { knowsPool } }),
      'FAILED_PRECONDITION',
      new RegExp(`another store \\(${otherStore}`),
    );
  }
  t.is(await hashOf(volume.path), before);
});

test('open › a directory of another backend of the same store is refused', async (t) => {
  const { directory } = await newPool(t);
  await rejectsWith(t, openBackend(directory, { name: 'vs1/copy' }), 'FAILED_PRECONDITION', /backend vs1\/files, not of vs1\/copy/);
});

test('safety D1 › an unmarked directory that the store knows is UNAVAILABLE, and never marked again', async (t) => {
  const empty = await newDirectory(t);
  await rejectsWith(t, openBackend(empty, known), 'UNAVAILABLE', /mount its disk/);
  t.deepEqual(await readdir(empty), []);
  const absent = path.join(empty, 'pool');
  await rejectsWith(t, openBackend(absent, known), 'UNAVAILABLE', /mount its disk/);
  t.deepEqual(await readdir(empty), []);
});

for (const folder of ['volumes', 'snapshots']) {
  test(`safety D1 › an unmarked directory that has ${folder}/ is not taken over`, async (t) => {
    const { directory } = await newPool(t);
    await unlink(marker(directory));
    await rm(path.join(directory, folder === 'volumes' ? 'snapshots' : 'volumes'), { recursive: true });
    await rejectsWith(t, openBackend(directory), 'FAILED_PRECONDITION', new RegExp(`${folder}/ but no marker`));
    t.false((await readdir(directory)).includes('vbs-store.json'));
  });

  test(`safety D1 › a known pool without its ${folder}/ is UNAVAILABLE, not empty`, async (t) => {
    const { directory, backend } = await newPool(t);
    await rename(path.join(directory, folder), path.join(directory, 'elsewhere'));
    await rejectsWith(t, openBackend(directory, known), 'UNAVAILABLE', new RegExp(`no ${folder}/`));
    await rejectsWith(t, backend.listVolumes(newCall()), 'UNAVAILABLE', new RegExp(`no ${folder}/`));
    await rejectsWith(t, backend.deleteSnapshot(newCall(), { id: newId('snap') }), 'UNAVAILABLE', new RegExp(`no ${folder}/`));
  });
}

test('safety D1 › absence is no answer from a pool that has vanished: every method says UNAVAILABLE', async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend);
  await rename(directory, `${directory}.unmounted`);
  for (const [name, act] of Object.entries(acts(backend, volume.id))) {
    const error = await t.throwsAsync(act, { instanceOf: VbsError }, name);
    t.is(error.code, 'UNAVAILABLE', name);
  }
  t.regex((await backend.check(newCall())).join(), /mount its disk/);
  await mkdir(directory);
  await t.throwsAsync(backend.listVolumes(newCall()), { code: 'UNAVAILABLE' });
  t.deepEqual(await readdir(directory), []);
});

test("safety D1 › a pool whose place another store's has taken is left alone by every method", async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend);
  await rename(directory, `${directory}.ours`);
  const other = await openBackend(directory, { store: { id: otherStore } });
  await other.createVolume(newCall(), volume);
  for (const [name, act] of Object.entries(acts(backend, volume.id))) {
    const error = await t.throwsAsync(act, { instanceOf: VbsError }, name);
    t.is(error.code, 'FAILED_PRECONDITION', name);
  }
  t.deepEqual(
    (await other.listVolumes(newCall())).map(({ id }) => id),
    [volume.id],
  );
});

const refusesMarker = test.macro({
  title: (_, text: string) => `open › refuses the marker ${JSON.stringify(text)} and leaves it`,
  async exec(t, text: string, message: RegExp) {
    const { directory } = await newPool(t);
    await writeFile(marker(directory), text);
    await rejectsWith(t, openBackend(directory), 'FAILED_PRECONDITION', message);
    t.is(await readFile(marker(directory), 'utf8'), text);
  },
});
test(refusesMarker, '', /is damaged/);
test(refusesMarker, '{"format": 1, "storeId": "aaaa', /is damaged/);
test(refusesMarker, 'null', /is no marker/);
test(refusesMarker, '{"format": 1}', /is no marker/);
test(refusesMarker, '{"format": 2, "storeId": "a", "backend": "b"}', /newer VBS \(format 2\)/);

test("open › another user's pool is PERMISSION_DENIED with what to do", async (t) => {
  const { directory } = await newPool(t);
  await chmod(path.dirname(path.dirname(directory)), 0o755);
  const asRoot = process.getuid?.() === 0;
  if (!asRoot) await chmod(marker(directory), 0);
  const script = fileURLToPath(new URL('opening-child.js', import.meta.url));
  const nobody = asRoot ? { uid: 65534, gid: 65534 } : {};
  const { stdout } = await promisify(execFile)(process.execPath, [script, directory], nobody);
  const { code, message } = JSON.parse(stdout);
  t.is(code, 'PERMISSION_DENIED');
  t.regex(message, /give its user read, write and search permission/);
});

test('open › a directory that is a file is refused with what to do', async (t) => {
  const file = path.join(await newDirectory(t), 'file');
  await writeFile(file, 'precious');
  await rejectsWith(t, openBackend(file), 'FAILED_PRECONDITION', /is no directory/);
  t.is(await readFile(file, 'utf8'), 'precious');
});

test('open › sweeps what a dead process left, and nothing that it does not know', async (t) => {
  const { directory } = await newPool(t);
  const partial = path.join(directory, 'partial');
  await writeFile(path.join(partial, `${newId('vol')}.img.0123456789abcdef.partial`), 'half');
  await writeFile(path.join(partial, 'notes.txt'), 'a stranger');
  await openBackend(directory, known);
  t.deepEqual(await readdir(partial), ['notes.txt']);
});

test('open › a crash between the name and the end of its partial costs the volume nothing', async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend);
  const before = await hashOf(volume.path);
  await link(volume.path, path.join(directory, 'partial', `${volume.id}.img.0123456789abcdef.partial`));
  const again = await openBackend(directory, known);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
  t.is((await again.listVolumes(newCall())).length, 1);
  t.is(await hashOf(volume.path), before);
});
