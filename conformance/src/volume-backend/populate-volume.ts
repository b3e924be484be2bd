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
      const target = await stage.create(newId('volume'), stage.sizeBytes + behind);
      await stage.populate(target.id, snapshot.id);
      await stage.holds(target, Buffer.concat([content, Buffer.alloc(behind)]), 'the filled volume');
      assert.deepEqual(await stage.listed(target.id), target);
    },
  },
  {
    method,
    needs,
    promise: 'goes on from the middle',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage, 'dense');
      const target = await stage.create();
      const fromBytes = stage.roundUp(stage.sizeBytes / 2);
      await stage.populate(target.id, snapshot.id, fromBytes);
      // What lies below is said to be there already; a backend may look at it or not.
      const upper = await stage.bytes(target.locator).read(fromBytes, stage.sizeBytes - fromBytes);
      assert.equal(Buffer.compare(upper, content.subarray(fromBytes)), 0, `from ${fromBytes} on, the bytes are not those of the snapshot`);
      await stage.populate(target.id, snapshot.id);
      await stage.holds(target, content, 'filled from the start, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'may be repeated',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage);
      const target = await stage.create();
      for (const fromBytes of [0, 0, stage.roundUp(stage.sizeBytes / 2), stage.sizeBytes]) {
        await stage.populate(target.id, snapshot.id, fromBytes);
      }
      await stage.holds(target, content, 'filled again, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'reports progress that never falls and ends at the total',
    prove: async (stage) => {
      const { snapshot } = await filled(stage, 'dense');
      const { id } = await stage.create();
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
    promise: 'settles soon when it is aborted, and goes on from its progress',
    prove: async (stage) => {
      const { snapshot, content } = await filled(stage, 'dense');
      for (const moment of moments) {
        const target = await stage.create();
        const fromBytes = await stage.scene.abort(moment, (call) =>
          stage.backend.populateVolume(call, { id: target.id, snapshotId: snapshot.id, fromBytes: 0 }),
        );
        await stage.populate(target.id, snapshot.id, fromBytes);
        await stage.holds(target, content, `aborted and gone on from ${fromBytes}, the volume`);
        await stage.backend.deleteVolume(stage.call(), { id: target.id });
      }
    },
  },
  {
    method,
    needs,
    promise: 'fills two volumes from one snapshot at once, each for itself',
    prove: async (stage) => {
      const { snapshot, content, volume } = await filled(stage);
      const [first, second] = [await stage.create(), await stage.create()];
      await Promise.all([first, second].map(({ id }) => stage.populate(id, snapshot.id)));
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
      const target = await stage.create();
      const before = await stage.listing();
      await refused(stage.populate(target.id, newId('snapshot')), 'NOT_FOUND', 'populateVolume from an absent snapshot');
      await refused(stage.populate(newId('volume'), snapshot.id), 'NOT_FOUND', 'populateVolume of an absent volume');
      assert.deepEqual(await stage.listing(), before);
      await stage.holds(target, Buffer.alloc(stage.sizeBytes));
    },
  },
  {
    method,
    needs,
    promise: 'answers OUT_OF_RANGE, and the least legal size, for a smaller volume',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const target = await stage.create(newId('volume'), stage.sizeBytes - stage.granularityBytes);
      const error = await refused(stage.populate(target.id, snapshot.id), 'OUT_OF_RANGE', 'populateVolume of a smaller volume');
      assert.equal(error.context.leastBytes, snapshot.sizeBytes, 'context.leastBytes');
      await stage.holds(target, Buffer.alloc(target.sizeBytes), 'after the refusal, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'refuses an id that is none, and changes nothing',
    prove: async (stage) => {
      const { snapshot } = await filled(stage);
      const target = await stage.create();
      const files = await stage.scene.files();
      for (const id of hostileIds('volume')) {
        await refused(stage.populate(id, snapshot.id), 'INVALID_ARGUMENT', `populateVolume of ${JSON.stringify(id.slice(0, 60))}`);
      }
      for (const id of hostileIds('snapshot')) {
        await refused(stage.populate(target.id, id), 'INVALID_ARGUMENT', `populateVolume from ${JSON.stringify(id.slice(0, 60))}`);
      }
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
      await stage.holds(target, Buffer.alloc(stage.sizeBytes));
    },
  },
];
