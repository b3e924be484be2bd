import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'createSnapshot';
const needs = 'snapshot';

export const createSnapshotProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    needs,
    promise: 'keeps the content of the call, whatever is written later',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      const snapshot = await stage.snapshot(id);
      assert.deepEqual({ volumeId: snapshot.volumeId, sizeBytes: snapshot.sizeBytes }, { volumeId: id, sizeBytes: stage.sizeBytes });
      const later = await stage.overwrite(volume, content, 'later');
      await stage.snapshotHolds(snapshot, content, 'after later writes, the snapshot');
      await stage.holds(volume, later, 'with a snapshot, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'is idempotent, and never takes the snapshot again',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      const snapshot = await stage.snapshot(id);
      await stage.overwrite(volume, content, 'later');
      assert.deepEqual(await stage.snapshot(id, snapshot.id), snapshot, 'the answer of the repeat');
      assert.deepEqual(await stage.listedSnapshot(snapshot.id), snapshot);
      await stage.snapshotHolds(snapshot, content, 'after the repeat, the snapshot');
    },
  },
  {
    method,
    needs,
    promise: 'refuses the id of a snapshot of another volume with ALREADY_EXISTS',
    prove: async (stage) => {
      const [first, second] = [await stage.volume(), await stage.volume()];
      const snapshot = await stage.snapshot(first.id);
      await refused(stage.snapshot(second.id, snapshot.id), 'ALREADY_EXISTS', 'createSnapshot with an id of another volume');
      assert.deepEqual(await stage.listedSnapshot(snapshot.id), snapshot);
    },
  },
  {
    method,
    needs,
    promise: 'refuses a volume that is not whole yet with FAILED_PRECONDITION',
    prove: async (stage) => {
      const { id } = await stage.createToBeFilled();
      await refused(stage.snapshot(id), 'FAILED_PRECONDITION', 'createSnapshot of a volume that is to be filled');
      assert.deepEqual((await stage.listing()).snapshots, []);
    },
  },
  {
    method,
    needs,
    promise: 'answers NOT_FOUND for an absent volume, and makes nothing',
    prove: async (stage) => {
      const before = await stage.listing();
      await refused(stage.snapshot(newId('volume')), 'NOT_FOUND', 'createSnapshot of an absent volume');
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    needs,
    promise: 'makes one snapshot when two callers race for its id',
    prove: async (stage) => {
      const { id: volumeId, content } = await stage.volume();
      const id = newId('snapshot');
      const answers = await raced(
        [1, 2].map(() => stage.snapshot(volumeId, id)),
        method,
      );
      const snapshot = await stage.snapshot(volumeId, id);
      for (const answer of answers) assert.deepEqual(answer, snapshot);
      assert.deepEqual(await stage.listedSnapshot(id), snapshot);
      await stage.snapshotHolds(snapshot, content);
    },
  },
  {
    method,
    needs,
    promise: 'settles soon when it is aborted, and leaves no half snapshot',
    prove: async (stage) => {
      const { id: volumeId, content } = await stage.dense();
      for (const moment of moments) {
        const id = newId('snapshot');
        await stage.scene.abort(moment, (call) => stage.backend.createSnapshot(call, { id, volumeId }));
        const left = await stage.listedSnapshot(id);
        if (left !== undefined) await stage.snapshotHolds(left, content, 'what an aborted call left,');
        await stage.snapshotHolds(await stage.snapshot(volumeId, id), content, 'made after an aborted call, the snapshot');
        await stage.backend.deleteSnapshot(stage.call(), { id });
      }
    },
  },
  {
    method,
    needs: 'live-snapshot',
    promise: 'is of one instant while the volume is written to',
    prove: async (stage) => {
      const { id, volume } = await stage.dense();
      const bytes = stage.bytes(volume.locator);
      const last = stage.sizeBytes - 8;
      const count = async (offset: number, value: number): Promise<void> => {
        const word = Buffer.alloc(8);
        word.writeBigUInt64LE(BigInt(value));
        await bytes.write(offset, word);
      };
      await count(0, 0);
      await count(last, 0);
      // Each number goes to the start first and to the end after it was acknowledged there: no instant has more at the end.
      let acknowledged = 0;
      let stop = false;
      const writing = (async () => {
        for (let value = 1; !stop && value < 100_000; value++) {
          await count(0, value);
          await count(last, value);
          acknowledged = value;
        }
      })();
      try {
        for (let round = 0; round < 5; round++) {
          const before = acknowledged;
          const snapshot = await stage.snapshot(id);
          const after = acknowledged + 1;
          const copy = await stage.filledFrom(snapshot.id);
          const read = async (offset: number) => Number(Buffer.from(await stage.bytes(copy.locator).read(offset, 8)).readBigUInt64LE());
          const [start, end] = [await read(0), await read(last)];
          assert.ok(start >= before && start <= after, `the snapshot has write ${start}, taken between ${before} and ${after}`);
          assert.ok(end === start || end === start - 1, `the snapshot has write ${start} at the start and ${end} at the end`);
          await stage.backend.deleteVolume(stage.call(), { id: copy.id });
        }
      } finally {
        stop = true;
        await writing;
      }
    },
  },
  {
    method,
    needs,
    promise: 'refuses an id that is no snapshot id, and changes nothing',
    prove: async (stage) => {
      const { id: volumeId } = await stage.volume();
      const [before, files] = [await stage.listing(), await stage.scene.files()];
      for (const id of [...hostileIds('snapshot'), newId('volume')]) {
        await refused(stage.snapshot(volumeId, id), 'INVALID_ARGUMENT', `createSnapshot of ${JSON.stringify(id.slice(0, 60))}`);
      }
      for (const id of hostileIds('volume')) {
        await refused(stage.snapshot(id), 'INVALID_ARGUMENT', `createSnapshot of the volume ${JSON.stringify(id.slice(0, 60))}`);
      }
      assert.deepEqual(await stage.listing(), before);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
    },
  },
  {
    method,
    needs,
    promise: 'leaves its neighbours alone',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const { id, volume, content } = await stage.volume();
      await stage.snapshot(id);
      await stage.holds(volume, content, 'after createSnapshot, the volume');
      await neighbours.untouched();
    },
  },
];

export const deleteSnapshotProofs: readonly Proof<BackendStage>[] = [
  {
    method: 'deleteSnapshot',
    needs,
    promise: 'takes the snapshot away, and nothing else',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      const [gone, kept] = [await stage.snapshot(id), await stage.snapshot(id)];
      await stage.backend.deleteSnapshot(stage.call(), { id: gone.id });
      assert.equal(await stage.listedSnapshot(gone.id), undefined, 'a deleted snapshot is listed');
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, content, 'after deleteSnapshot, the volume');
      await stage.snapshotHolds(kept, content, 'after deleteSnapshot of another, the snapshot');
    },
  },
  {
    method: 'deleteSnapshot',
    needs,
    promise: 'succeeds for what is absent',
    prove: async (stage) => {
      await stage.backend.deleteSnapshot(stage.call(), { id: newId('snapshot') });
      const { id: volumeId } = await stage.volume();
      const { id } = await stage.snapshot(volumeId);
      for (let time = 0; time < 2; time++) await stage.backend.deleteSnapshot(stage.call(), { id });
      assert.equal(await stage.listedSnapshot(id), undefined);
    },
  },
  {
    method: 'deleteSnapshot',
    needs,
    promise: 'refuses an id that is no snapshot id, and changes nothing',
    prove: async (stage) => {
      await stage.neighbours();
      const [before, files] = [await stage.listing(), await stage.scene.files()];
      for (const id of hostileIds('snapshot')) {
        const what = `deleteSnapshot of ${JSON.stringify(id.slice(0, 60))}`;
        await refused(stage.backend.deleteSnapshot(stage.call(), { id }), 'INVALID_ARGUMENT', what);
      }
      assert.deepEqual(await stage.listing(), before);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
    },
  },
  {
    method: 'listSnapshots',
    needs,
    promise: 'lists each snapshot once, with its volume and size, and nothing else',
    prove: async (stage) => {
      const [first, second] = [await stage.volume(), await stage.volume(stage.sizeBytes * 2)];
      const made = [await stage.snapshot(first.id), await stage.snapshot(second.id), await stage.snapshot(first.id)];
      const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);
      assert.deepEqual([...(await stage.backend.listSnapshots(stage.call()))].sort(byId), made.sort(byId));
      assert.deepEqual(
        made.map(({ volumeId, sizeBytes }) => `${volumeId} ${sizeBytes}`).sort(),
        [first, second, first].map(({ id, content }) => `${id} ${content.length}`).sort(),
      );
    },
  },
];
