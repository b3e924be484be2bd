import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'createVolume';

export const createVolumeProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    promise: 'makes a volume of the size that was asked, by a locator of a declared kind',
    prove: async (stage) => {
      for (const sizeBytes of [stage.granularityBytes, stage.sizeBytes, stage.sizeBytes + stage.granularityBytes]) {
        const id = newId('volume');
        const volume = await stage.create(id, sizeBytes);
        assert.equal(volume.id, id);
        assert.equal(volume.sizeBytes, sizeBytes);
        assert.ok(stage.scene.opened.provider.locators.includes(volume.locator.kind), `the locator's kind is ${volume.locator.kind}`);
        await stage.overwrite(volume, Buffer.alloc(sizeBytes));
      }
    },
  },
  {
    method,
    promise: 'makes a volume that reads zeros everywhere',
    prove: async (stage) => {
      const dirty = await stage.dense();
      await stage.backend.deleteVolume(stage.call(), { id: dirty.id });
      // The room that was just given back is the likeliest to be given out again.
      const fresh = await stage.create();
      await stage.holds(fresh, Buffer.alloc(stage.sizeBytes), 'the new volume');
      const again = await stage.create(dirty.id);
      await stage.holds(again, Buffer.alloc(stage.sizeBytes), 'the new volume under an id that was used before');
    },
  },
  {
    method,
    promise: 'is idempotent',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      assert.deepEqual(await stage.create(id), volume, 'the answer of the repeat');
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, content, 'after the repeat, the volume');
    },
  },
  {
    method,
    promise: 'refuses an id that has another size with ALREADY_EXISTS',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      for (const sizeBytes of [stage.sizeBytes + stage.granularityBytes, stage.sizeBytes * 2, stage.granularityBytes]) {
        if (sizeBytes === stage.sizeBytes) continue;
        await refused(stage.create(id, sizeBytes), 'ALREADY_EXISTS', `createVolume of ${sizeBytes} in place of ${stage.sizeBytes} bytes`);
      }
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, content, 'after the refusal, the volume');
    },
  },
  {
    method,
    needs: 'snapshot',
    promise: 'makes a volume to be filled that is not whole, also after a restart and when it is asked for again',
    prove: async (stage) => {
      const filling = await stage.createToBeFilled();
      assert.equal(filling.filling, true, 'a volume that is to be filled is answered as whole');
      assert.equal(filling.sizeBytes, stage.sizeBytes);
      assert.deepEqual(await stage.listed(filling.id), filling);
      assert.deepEqual(await stage.createToBeFilled(stage.sizeBytes, filling.id), filling, 'the answer of the repeat');
      await stage.scene.reopen();
      assert.deepEqual(await stage.listed(filling.id), filling, 'after a restart');
    },
  },
  {
    method,
    needs: 'snapshot',
    promise: 'never answers a volume that is to be filled as a whole one, but ALREADY_EXISTS',
    prove: async (stage) => {
      const filling = await stage.createToBeFilled();
      await refused(stage.create(filling.id), 'ALREADY_EXISTS', 'createVolume of a whole volume in place of one to be filled');
      assert.deepEqual(await stage.listed(filling.id), filling);
      const larger = stage.createToBeFilled(stage.sizeBytes * 2, filling.id);
      await refused(larger, 'ALREADY_EXISTS', 'createVolume of another size');
    },
  },
  {
    method,
    needs: 'snapshot',
    promise: 'answers a whole volume as it is where one to be filled is asked for',
    prove: async (stage) => {
      const { id, volume, content } = await stage.volume();
      assert.deepEqual(await stage.createToBeFilled(stage.sizeBytes, id), volume);
      assert.deepEqual(await stage.listed(id), volume);
      await stage.holds(volume, content);
    },
  },
  {
    method,
    promise: 'makes one volume when two callers race for its id',
    prove: async (stage) => {
      const other = await stage.scene.open();
      for (let round = 0; round < 3; round++) {
        const request = { id: newId('volume'), sizeBytes: stage.sizeBytes };
        const callers = [stage.backend, stage.backend, other.contract];
        const answers = await raced(
          callers.map((backend) => backend.createVolume(stage.call(), request)),
          method,
        );
        const volume = await stage.create(request.id);
        for (const answer of answers) assert.deepEqual(answer, volume);
        assert.deepEqual(await stage.listed(request.id), volume);
        await stage.holds(volume, Buffer.alloc(stage.sizeBytes));
      }
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and leaves no half volume',
    prove: async (stage) => {
      for (const moment of moments) {
        const request = { id: newId('volume'), sizeBytes: stage.sizeBytes };
        await stage.scene.abort(moment, (call) => stage.backend.createVolume(call, request));
        const left = await stage.listed(request.id);
        if (left !== undefined) {
          assert.equal(left.sizeBytes, request.sizeBytes, 'a volume that an aborted call left');
          await stage.holds(left, Buffer.alloc(request.sizeBytes), 'what an aborted call left,');
        }
        const volume = await stage.create(request.id);
        assert.deepEqual(await stage.listed(request.id), volume);
        await stage.holds(volume, Buffer.alloc(request.sizeBytes), 'made after an aborted call, the volume');
      }
    },
  },
  {
    method,
    promise: 'refuses a size that is none, and makes nothing',
    prove: async (stage) => {
      const before = await stage.listing();
      const unaligned = stage.granularityBytes > 1 ? [stage.sizeBytes + 1, stage.granularityBytes - 1] : [];
      for (const sizeBytes of [
        0,
        -stage.granularityBytes,
        stage.granularityBytes + 0.5,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        1e30,
        ...unaligned,
      ]) {
        await refused(stage.create(newId('volume'), sizeBytes), ['OUT_OF_RANGE', 'INVALID_ARGUMENT'], `createVolume of ${sizeBytes} bytes`);
      }
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    promise: 'refuses what its pool can never hold, unless it is thin, and leaves nothing of it',
    prove: async (stage) => {
      const before = await stage.listing();
      const { totalBytes } = await stage.backend.getCapacity(stage.call());
      const request = { id: newId('volume'), sizeBytes: stage.roundUp(totalBytes + stage.sizeBytes) };
      const attempt = stage.backend.createVolume(stage.call(), request);
      if (stage.scene.has('thin')) {
        const made = await attempt.catch((error: unknown) =>
          refused(Promise.reject(error), ['RESOURCE_EXHAUSTED', 'OUT_OF_RANGE'], method),
        );
        if ('sizeBytes' in made) assert.equal(made.sizeBytes, request.sizeBytes);
        await stage.backend.deleteVolume(stage.call(), { id: request.id });
      } else {
        await refused(attempt, ['RESOURCE_EXHAUSTED', 'OUT_OF_RANGE'], 'createVolume of more than the pool has');
      }
      assert.deepEqual(await stage.listing(), before);
    },
  },
  {
    method,
    promise: 'refuses an id that is no volume id, and changes nothing',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const [before, files] = [await stage.listing(), await stage.scene.files()];
      for (const id of [...hostileIds('volume'), newId('snapshot')]) {
        await refused(stage.create(id), 'INVALID_ARGUMENT', `createVolume of ${JSON.stringify(id.slice(0, 60))}`);
      }
      assert.deepEqual(await stage.listing(), before);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
      await neighbours.untouched();
    },
  },
  {
    method,
    promise: 'leaves its neighbours alone',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const { volume } = await stage.volume();
      await stage.overwrite(volume, Buffer.alloc(stage.sizeBytes), 'second');
      await neighbours.untouched();
    },
  },
];
