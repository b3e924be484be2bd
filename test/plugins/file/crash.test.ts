import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import {
  callAbortedAtProgress,
  hashOf,
  mebibyte,
  newCall,
  newId,
  newPool,
  newTarget,
  newVolume,
  openBackend,
  snapshotPath,
} from './fixture.js';
import { temporaryFilesReflink } from './mounts.js';

const script = fileURLToPath(new URL('copying-child.js', import.meta.url));
const known = { store: { knowsPool: true } };
const sizeBytes = 80 * mebibyte;

/** Starts a process that copies, and waits until it has stopped in the middle; answers how many bytes it had made durable. */
async function copyInChild(t: ExecutionContext, directory: string, method: string, request: object) {
  const child = spawn(process.execPath, [script, directory, method, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const { value } = await lines.next();
  return { child, lines, copied: Number(/^copied (\d+)$/.exec(value ?? '')?.[1]) };
}

async function killed(child: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

const copies = temporaryFilesReflink ? test.skip : test;
const reason = temporaryFilesReflink ? ' (skipped: the temporary directory reflinks, so nothing is copied)' : '';

copies(
  `createSnapshot › a copy that is killed in the middle leaves nothing under its name, and the next open sweeps it${reason}`,
  async (t) => {
    const { directory, backend } = await newPool(t);
    const volume = await newVolume(backend, { sizeBytes });
    const id = newId('snap');
    const { child, copied } = await copyInChild(t, directory, 'createSnapshot', { id, volumeId: volume.id });
    t.true(copied > 0 && copied < sizeBytes);
    await killed(child);
    t.is((await readdir(path.join(directory, 'partial'))).length, 1);
    t.deepEqual(await readdir(path.join(directory, 'snapshots')), []);
    const again = await openBackend(directory, known);
    t.deepEqual(await readdir(path.join(directory, 'partial')), []);
    t.deepEqual(await again.listSnapshots(newCall()), []);
    await again.createSnapshot(newCall(), { id, volumeId: volume.id });
    t.is(await hashOf(snapshotPath(directory, id, volume.id)), await hashOf(volume.path));
  },
);

copies(`open › does not sweep what another live process is writing${reason}`, async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes });
  const id = newId('snap');
  const { lines } = await copyInChild(t, directory, 'createSnapshot', { id, volumeId: volume.id });
  const again = await openBackend(directory, known);
  t.is((await readdir(path.join(directory, 'partial'))).length, 1);
  t.deepEqual(await again.listSnapshots(newCall()), []);
  await writeFile(`${directory}.go`, '');
  t.is((await lines.next()).value, 'done');
  t.deepEqual(await again.listSnapshots(newCall()), [{ id, volumeId: volume.id, sizeBytes }]);
  t.is(await hashOf(snapshotPath(directory, id, volume.id)), await hashOf(volume.path));
});

copies(`createSnapshot › a copy that is aborted in the middle leaves nothing at all${reason}`, async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes });
  const { call, reported } = callAbortedAtProgress();
  await t.throwsAsync(backend.createSnapshot(call, { id: newId('snap'), volumeId: volume.id }), { code: 'ABORTED' });
  t.is(reported.length, 1);
  t.deepEqual(await readdir(path.join(directory, 'snapshots')), []);
  t.deepEqual(await readdir(path.join(directory, 'partial')), []);
});

test('populateVolume › killed in the middle goes on in another process from what was reported', async (t) => {
  const { directory, backend } = await newPool(t);
  const volume = await newVolume(backend, { sizeBytes });
  const { id: snapshotId } = await backend.createSnapshot(newCall(), { id: newId('snap'), volumeId: volume.id });
  const target = await newTarget(backend, sizeBytes);
  const { child, copied } = await copyInChild(t, directory, 'populateVolume', { id: target.id, snapshotId, fromBytes: 0 });
  t.true(copied > 0 && copied < sizeBytes);
  await killed(child);
  const again = await openBackend(directory, known);
  t.like(await again.listVolumes(newCall()), [{ id: volume.id }, { id: target.id, filling: true }]);
  await again.populateVolume(newCall(), { id: target.id, snapshotId, fromBytes: copied });
  t.is(await hashOf(target.path), await hashOf(volume.path));
});
