import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'populateVolume';
const needs = 'snapshot';

/** A snapshot, and what it holds. */
async function filled(stage: BackendStage, kind: 'volume' | 'dense' = 'volume') {
  const { id, volume, content } = await stage[kind]();
  return { volume, content, snapshot: await stage.snapshot(id) };
}

export const populateVolumeProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    needs,
    promise: "gives a volume the snapshot's bytes, and zeros behind them",
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const behind = stage.roundUp(stage.sizeBytes / 2);
      const volume = await stage.filledFrom(snapshot.id, stage.sizeBytes + behind);
      assert.equal(volume.sizeBytes, stage.sizeBytes + behind);
      await stage.holds(volume, Buffer.concat([content, Buffer.alloc(behind)]), 'the filled volume');
    },
  },
  {
    method,
    needs,
    promise: 'makes the volume whole, where it answers that it is, and leaves it so after a restart',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const { id } = await stage.createToBeFilled();
      const volume = await stage.populate(id, snapshot.id);
      assert.equal(volume.id, id);
      assert.equal(volume.filling, undefined, 'a volume whose fill has ended is answered as not whole');
      assert.deepEqual(await stage.listed(id), volume);
      await stage.scene.reopen();
      assert.deepEqual(await stage.listed(id), volume, 'after a restart');
      await stage.holds(volume, content, 'the filled volume');
    },
  },
  {
    method,
    needs,
    promise: 'goes on from the middle',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage, 'dense');
      const { id } = await stage.createToBeFilled();
      const fromBytes = stage.roundUp(stage.sizeBytes / 2);
      const volume = await stage.populate(id, snapshot.id, fromBytes);
      // What lies below is said to be there already; a backend may look at it or not.
      const upper = await stage.bytes(volume.locator).read(fromBytes, stage.sizeBytes - fromBytes);
      assert.equal(Buffer.compare(upper, content.subarray(fromBytes)), 0, `from ${fromBytes} on, the bytes are not those of the snapshot`);
    },
  },
  {
    method,
    needs,
    promise: 'answers a volume that is whole as it is, and copies nothing into it',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const volume = await stage.filledFrom(snapshot.id);
      const written = await stage.overwrite(volume, content, 'later');
      for (const fromBytes of [0, stage.roundUp(stage.sizeBytes / 2), stage.sizeBytes]) {
        assert.deepEqual(await stage.populate(volume.id, snapshot.id, fromBytes), volume);
      }
      await stage.holds(volume, written, 'filled again, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'reports progress that never falls and ends at the total',
    prove: async (stage) => {
      const { snapshot } = await filled(stage, 'dense');
      const { id } = await stage.createToBeFilled();
      const reports: (readonly [number, number])[] = [];
      await stage.populate(id, snapshot.id, 0, { progress: (done, total) => reports.push([done, total]) });
      assert.ok(reports.length > 0, 'no progress was reported');
      let before = 0;
      for (const [done, total] of reports) {
        assert.equal(total, snapshot.sizeBytes, "the total is not the snapshot's size");
        assert.ok(done >= before && done <= total, `progress went from ${before} to ${done} of ${total}`);
        before = done;
      }
      assert.equal(before, snapshot.sizeBytes, 'the last progress is not the total');
    },
  },
  {
    method,
    needs,
    promise: 'settles soon when it is aborted, leaves nothing half that is listed as whole, and goes on from its progress',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage, 'dense');
      for (const moment of moments) {
        const { id } = await stage.createToBeFilled();
        const fromBytes = await stage.scene.abort(moment, (call) =>
          stage.backend.populateVolume(call, { id, snapshotId: snapshot.id, fromBytes: 0 }),
        );
        const left = await stage.listed(id);
        assert.ok(left, 'an aborted call took the volume away');
        if (left.filling !== true) await stage.holds(left, content, 'what an aborted call left as whole,');
        const volume = await stage.populate(id, snapshot.id, fromBytes);
        await stage.holds(volume, content, `aborted and gone on from ${fromBytes}, the volume`);
        await stage.backend.deleteVolume(stage.call(), { id });
      }
    },
  },
  {
    method,
    needs,
    promise: 'fills two volumes from one snapshot at once, each for itself',
    prove: async (stage) => {
      const { snapshot, content, volume } = await filled(stage);
      const [first, second] = await Promise.all([stage.filledFrom(snapshot.id), stage.filledFrom(snapshot.id)]);
      const written = await stage.overwrite(first, content, 'into the first');
      await stage.holds(first, written, 'the first volume');
      await stage.holds(second, content, 'the second volume');
      await stage.holds(volume, content, 'the volume of the snapshot');
      await stage.snapshotHolds(snapshot, content);
    },
  },
  {
    method,
    needs,
    promise: 'answers NOT_FOUND when the snapshot or the volume is absent, and makes nothing',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const target = await stage.createToBeFilled();
      const before = await stage.listing();
      await refused(stage.populate(target.id, newId('snapshot')), 'NOT_FOUND', 'populateVolume from an absent snapshot');
      await refused(stage.populate(newId('volume'), snapshot.id), 'NOT_FOUND', 'populateVolume of an absent volume');
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    needs,
    promise: 'answers OUT_OF_RANGE, and the least legal size, for a smaller volume',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const target = await stage.createToBeFilled(stage.sizeBytes - stage.granularityBytes);
      const error = await refused(stage.populate(target.id, snapshot.id), 'OUT_OF_RANGE', 'populateVolume of a smaller volume');
      assert.equal(error.context.leastBytes, snapshot.sizeBytes, 'context.leastBytes');
      assert.deepEqual(await stage.listed(target.id), target, 'after the refusal, the volume as it is listed');
    },
  },
  {
    method,
    needs,
    promise: 'refuses an id that is none, and changes nothing',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const target = await stage.createToBeFilled();
      const files = await stage.scene.files();
      for (const id of hostileIds('volume')) {
        await refused(stage.populate(id, snapshot.id), 'INVALID_ARGUMENT', `populateVolume of ${JSON.stringify(id.slice(0, 60))}`);
      }
      for (const id of hostileIds('snapshot')) {
        await refused(stage.populate(target.id, id), 'INVALID_ARGUMENT', `populateVolume from ${JSON.stringify(id.slice(0, 60))}`);
      }
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
      assert.deepEqual(await stage.listed(target.id), target);
    },
  },
];
