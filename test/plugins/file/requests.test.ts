import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ErrorCode, VbsError } from '@vbs/core';
import test from 'ava';
import { mebibyte, newCall, newId, newPool, rejectsWith } from './fixture.js';

const refusesSize = test.macro({
  title: (_, sizeBytes: number, code: ErrorCode) => `createVolume › refuses ${sizeBytes} bytes with ${code}`,
  async exec(t, sizeBytes: number, code: ErrorCode) {
    const { backend } = await newPool(t);
    const error = await rejectsWith(t, backend.createVolume(newCall(), { id: newId('vol'), sizeBytes }), code);
    t.is(error.context.field, 'sizeBytes');
    t.deepEqual(await backend.listVolumes(newCall()), []);
  },
});
test(refusesSize, 0, 'OUT_OF_RANGE');
test(refusesSize, -512, 'OUT_OF_RANGE');
test(refusesSize, 513, 'OUT_OF_RANGE');
test(refusesSize, 1.5, 'INVALID_ARGUMENT');
test(refusesSize, 1e30, 'INVALID_ARGUMENT');
test(refusesSize, Number.NaN, 'INVALID_ARGUMENT');

const good = { vol: 'vol-0123456789abcdef0', snap: 'snap-0123456789abcdef0' };

const refusesId = test.macro({
  title: (_, id: string) => `ids › ${JSON.stringify(id)} is refused by every method and touches no path`,
  async exec(t, id: string) {
    const { backend, directory } = await newPool(t);
    const outside = path.join(path.dirname(directory), 'outside.img');
    await writeFile(outside, 'untouched');
    const sizeBytes = mebibyte;
    const acts = {
      createVolume: () => backend.createVolume(newCall(), { id, sizeBytes }),
      deleteVolume: () => backend.deleteVolume(newCall(), { id }),
      extendVolume: () => backend.extendVolume(newCall(), { id, sizeBytes }),
      createSnapshot: () => backend.createSnapshot(newCall(), { id, volumeId: good.vol }),
      createSnapshotOf: () => backend.createSnapshot(newCall(), { id: good.snap, volumeId: id }),
      deleteSnapshot: () => backend.deleteSnapshot(newCall(), { id }),
      populateVolume: () => backend.populateVolume(newCall(), { id, snapshotId: good.snap, fromBytes: 0 }),
      populateFrom: () => backend.populateVolume(newCall(), { id: good.vol, snapshotId: id, fromBytes: 0 }),
      cloneVolume: () => backend.cloneVolume(newCall(), { id, sizeBytes, snapshotId: good.snap }),
      cloneFrom: () => backend.cloneVolume(newCall(), { id: good.vol, sizeBytes, snapshotId: id }),
    };
    for (const [name, act] of Object.entries(acts)) {
      const error = await t.throwsAsync(act, { instanceOf: VbsError }, name);
      t.is(error.code, 'INVALID_ARGUMENT', name);
      t.regex(String(error.context.field), /^(id|volumeId|snapshotId)$/, name);
    }
    t.is(await readFile(outside, 'utf8'), 'untouched');
    for (const folder of ['volumes', 'snapshots', 'partial']) t.deepEqual(await readdir(path.join(directory, folder)), []);
  },
});

for (const id of [
  '',
  '../outside',
  '../../outside.img',
  '/etc/passwd',
  'vol-../../../outside',
  'vol-0123456789abcdef',
  'vol-0123456789abcdef01',
  'vol-0123456789ABCDEF0',
  'vol-0123456789abcdef0\n',
  'vol-0123456789abcdef0/',
  'vol-0123456789abcdef0.img',
  'vol-\u00000123456789abcdef',
  '-rf',
  'exp-0123456789abcdef0',
]) {
  test(refusesId, id);
}

test('ids › a volume id is no snapshot id, nor the reverse', async (t) => {
  const { backend } = await newPool(t);
  await rejectsWith(t, backend.createVolume(newCall(), { id: newId('snap'), sizeBytes: 512 }), 'INVALID_ARGUMENT');
  await rejectsWith(t, backend.deleteSnapshot(newCall(), { id: newId('vol') }), 'INVALID_ARGUMENT');
});
