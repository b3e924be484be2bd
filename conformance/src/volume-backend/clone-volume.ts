import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'cloneVolume';
const needs = 'instant-clone';

async function filled(stage: BackendStage) {
  const { id, volume, content } = await stage.volume();
  return { volume, content, snapshot: await stage.snapshot(id) };
}

function clone(stage: BackendStage, snapshotId: string, id = newId('volume'), sizeBytes = stage.sizeBytes) {
  return stage.backend.cloneVolume(stage.call(), { id, sizeBytes, snapshotId });
}

export const cloneVolumeProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    needs,
    promise: "makes a volume with the snapshot's bytes, and zeros behind them",
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const behind = stage.roundUp(stage.sizeBytes / 2);
      const volume = await clone(stage, snapshot.id, newId('volume'), stage.sizeBytes + behind);
      assert.equal(volume.sizeBytes, stage.sizeBytes + behind);
      assert.deepEqual(await stage.listed(volume.id), volume);
      await stage.holds(volume, Buffer.concat([content, Buffer.alloc(behind)]), 'the clone');
    },
  },
  {
    method,
    needs,
    promise: 'makes a volume whose writes reach neither snapshot nor other clones',
    prove: async (stage) => {
      const { snapshot, content, volume } = await filled(stage);
      const [first, second] = [await clone(stage, snapshot.id), await clone(stage, snapshot.id)];
      const written = await stage.overwrite(first, content, 'into the first');
      await stage.holds(first, written, 'the first clone');
      await stage.holds(second, content, 'the second clone');
      await stage.holds(volume, content, 'the volume of the snapshot');
      await stage.snapshotHolds(snapshot, content);
    },
  },
  {
    method,
    needs,
    promise: 'is idempotent',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const volume = await clone(stage, snapshot.id);
      const written = await stage.overwrite(volume, content, 'later');
      assert.deepEqual(await clone(stage, snapshot.id, volume.id), volume, 'the answer of the repeat');
      assert.deepEqual(await stage.listed(volume.id), volume);
      await stage.holds(volume, written, 'after the repeat, the clone');
    },
  },
  {
    method,
    needs,
    promise: 'refuses an id that has another size with ALREADY_EXISTS',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const volume = await clone(stage, snapshot.id);
      await refused(clone(stage, snapshot.id, volume.id, stage.sizeBytes * 2), 'ALREADY_EXISTS', 'cloneVolume with another size');
      await stage.holds(volume, content, 'after the refusal, the clone');
    },
  },
  {
    method,
    needs,
    promise: 'refuses the id of a volume that is to be filled with ALREADY_EXISTS',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const filling = await stage.createToBeFilled();
      await refused(clone(stage, snapshot.id, filling.id), 'ALREADY_EXISTS', 'cloneVolume under the id of a volume that is to be filled');
      assert.deepEqual(await stage.listed(filling.id), filling);
    },
  },
  {
    method,
    needs,
    promise: 'makes one volume when two callers race for its id',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const id = newId('volume');
      await raced(
        [1, 2].map(() => clone(stage, snapshot.id, id)),
        method,
      );
      const volume = await clone(stage, snapshot.id, id);
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, content);
    },
  },
  {
    method,
    needs,
    promise: 'settles soon when it is aborted, and leaves no half volume',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      for (const moment of moments) {
        const request = { id: newId('volume'), sizeBytes: stage.sizeBytes, snapshotId: snapshot.id };
        await stage.scene.abort(moment, (call) => stage.backend.cloneVolume(call, request));
        const left = await stage.listed(request.id);
        if (left !== undefined) await stage.holds(left, content, 'what an aborted call left,');
        await stage.holds(await clone(stage, snapshot.id, request.id), content, 'made after an aborted call, the clone');
      }
    },
  },
  {
    method,
    needs,
    promise: 'answers NOT_FOUND for an absent snapshot, and OUT_OF_RANGE with the least legal size for a smaller volume',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const before = await stage.listing();
      await refused(clone(stage, newId('snapshot')), 'NOT_FOUND', 'cloneVolume of an absent snapshot');
      const less = stage.sizeBytes - stage.granularityBytes;
      const error = await refused(clone(stage, snapshot.id, newId('volume'), less), 'OUT_OF_RANGE', 'cloneVolume into a smaller volume');
      assert.equal(error.context.leastBytes, snapshot.sizeBytes, 'context.leastBytes');
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    needs,
    promise: 'refuses an id that is none, and changes nothing',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const [before, files] = [await stage.listing(), await stage.scene.files()];
      for (const id of hostileIds('volume')) {
        await refused(clone(stage, snapshot.id, id), 'INVALID_ARGUMENT', `cloneVolume as ${JSON.stringify(id.slice(0, 60))}`);
      }
      for (const id of hostileIds('snapshot')) {
        await refused(clone(stage, id), 'INVALID_ARGUMENT', `cloneVolume of ${JSON.stringify(id.slice(0, 60))}`);
      }
      assert.deepEqual(await stage.listing(), before);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
    },
  },
];
