import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'extendVolume';
const needs = 'extend';

function extend(stage: BackendStage, id: string, sizeBytes: number) {
  return stage.backend.extendVolume(stage.call(), { id, sizeBytes });
}

const grown = (content: Buffer, sizeBytes: number): Buffer => Buffer.concat([content, Buffer.alloc(sizeBytes - content.length)]);

export const extendVolumeProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    needs,
    promise: 'keeps the old bytes, and adds zeros',
    prove: async (stage) => {
      const dirty = await stage.dense();
      const { id, content } = await stage.volume();
      await stage.backend.deleteVolume(stage.call(), { id: dirty.id });
      const sizeBytes = stage.sizeBytes * 2 + stage.granularityBytes;
      const volume = await extend(stage, id, sizeBytes);
      assert.equal(volume.sizeBytes, sizeBytes);
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, grown(content, sizeBytes), 'the extended volume');
      await stage.overwrite(volume, grown(content, sizeBytes), 'into what was added');
    },
  },
  {
    method,
    needs,
    promise: 'answers a volume that is already as large as it is, and never shrinks it',
    prove: async (stage) => {
      const { id, content } = await stage.volume();
      const sizeBytes = stage.sizeBytes * 2;
      const volume = await extend(stage, id, sizeBytes);
      const written = await stage.overwrite(volume, grown(content, sizeBytes), 'later');
      for (const asked of [sizeBytes, stage.sizeBytes, stage.granularityBytes]) {
        assert.deepEqual(await extend(stage, id, asked), volume, `extendVolume to ${asked} of ${sizeBytes} bytes`);
      }
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, written, 'after the repeats, the volume');
    },
  },
  {
    method,
    needs,
    promise: 'answers NOT_FOUND for an absent volume, and makes nothing',
    prove: async (stage) => {
      const before = await stage.listing();
      await refused(extend(stage, newId('volume'), stage.sizeBytes), 'NOT_FOUND', 'extendVolume of an absent volume');
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    needs,
    promise: 'refuses a volume that is not whole yet with FAILED_PRECONDITION',
    prove: async (stage) => {
      // Only what can take snapshots is asked for volumes to be filled.
      if (!stage.scene.has('snapshot')) return;
      const filling = await stage.createToBeFilled();
      await refused(extend(stage, filling.id, stage.sizeBytes * 2), 'FAILED_PRECONDITION', 'extendVolume of a volume that is to be filled');
      assert.deepEqual(await stage.listed(filling.id), filling);
    },
  },
  {
    method,
    needs,
    promise: 'refuses a size or an id that is none, and changes nothing',
    prove: async (stage) => {
      const { id, content, volume } = await stage.volume();
      const files = await stage.scene.files();
      for (const sizeBytes of [0, -stage.granularityBytes, stage.sizeBytes + 0.5, Number.NaN, 1e30]) {
        await refused(extend(stage, id, sizeBytes), ['OUT_OF_RANGE', 'INVALID_ARGUMENT'], `extendVolume to ${sizeBytes} bytes`);
      }
      for (const hostile of hostileIds('volume')) {
        const what = `extendVolume of ${JSON.stringify(hostile.slice(0, 60))}`;
        await refused(extend(stage, hostile, stage.sizeBytes * 2), 'INVALID_ARGUMENT', what);
      }
      assert.deepEqual(await stage.listed(id), volume);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
      await stage.holds(volume, content);
    },
  },
  {
    method,
    needs,
    promise: 'ends at the larger size when two callers race',
    prove: async (stage) => {
      const { id, content } = await stage.volume();
      const sizeBytes = stage.sizeBytes * 2;
      await raced([extend(stage, id, sizeBytes), extend(stage, id, stage.sizeBytes + stage.granularityBytes)], method);
      const volume = await extend(stage, id, sizeBytes);
      assert.equal(volume.sizeBytes, sizeBytes);
      await stage.holds(volume, grown(content, sizeBytes));
    },
  },
  {
    method,
    needs,
    promise: 'settles soon when it is aborted, and lists no size whose bytes are not zeros',
    prove: async (stage) => {
      const sizeBytes = stage.sizeBytes * 2;
      for (const moment of moments) {
        const { id, content } = await stage.volume();
        await stage.scene.abort(moment, (call) => stage.backend.extendVolume(call, { id, sizeBytes }));
        const left = await stage.listed(id);
        assert.ok(left, 'an aborted call took the volume away');
        assert.ok([stage.sizeBytes, sizeBytes].includes(left.sizeBytes), `an aborted call left ${left.sizeBytes} bytes`);
        await stage.holds(left, grown(content, left.sizeBytes), 'what an aborted call left,');
        await stage.holds(await extend(stage, id, sizeBytes), grown(content, sizeBytes), 'extended after an aborted call, the volume');
        await stage.backend.deleteVolume(stage.call(), { id });
      }
    },
  },
  {
    method,
    needs,
    promise: 'leaves its neighbours and its own snapshots alone',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const { id, content } = await stage.volume();
      const snapshot = stage.scene.has('snapshot') ? await stage.snapshot(id) : undefined;
      const grow = extend(stage, id, stage.sizeBytes * 2);
      // A classic origin that is active cannot grow: that is an answer too, and changes nothing.
      await grow.catch((error: unknown) => refused(Promise.reject(error), 'FAILED_PRECONDITION', method));
      if (snapshot !== undefined) await stage.snapshotHolds(snapshot, content, 'after extendVolume, the snapshot');
      await neighbours.untouched();
    },
  },
];
