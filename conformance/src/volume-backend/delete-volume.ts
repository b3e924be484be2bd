import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

const method = 'deleteVolume';

export const deleteVolumeProofs: readonly Proof<BackendStage>[] = [
  {
    method,
    promise: 'takes the volume away',
    prove: async (stage) => {
      const { id } = await stage.volume();
      await stage.backend.deleteVolume(stage.call(), { id });
      assert.equal(await stage.listed(id), undefined, 'a deleted volume is listed');
    },
  },
  {
    method,
    promise: 'succeeds for what is absent',
    prove: async (stage) => {
      await stage.backend.deleteVolume(stage.call(), { id: newId('volume') });
      const { id } = await stage.volume();
      await stage.backend.deleteVolume(stage.call(), { id });
      await stage.backend.deleteVolume(stage.call(), { id });
      assert.equal(await stage.listed(id), undefined);
    },
  },
  {
    method,
    promise: 'succeeds for two callers at once',
    prove: async (stage) => {
      const { id } = await stage.volume();
      await raced(
        [1, 2].map(() => stage.backend.deleteVolume(stage.call(), { id })),
        method,
      );
      await stage.backend.deleteVolume(stage.call(), { id });
      assert.equal(await stage.listed(id), undefined);
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat takes the volume away',
    prove: async (stage) => {
      for (const moment of moments) {
        const { id, volume } = await stage.volume();
        await stage.scene.abort(moment, (call) => stage.backend.deleteVolume(call, { id }));
        // Its bytes may be going already; what is listed is the volume as it was, or nothing.
        const left = await stage.listed(id);
        if (left !== undefined) assert.deepEqual(left, volume, 'what an aborted call left');
        await stage.backend.deleteVolume(stage.call(), { id });
        assert.equal(await stage.listed(id), undefined);
      }
    },
  },
  {
    method,
    needs: 'snapshot',
    promise: 'takes away a volume that is to be filled, before and in the middle of its fill',
    prove: async (stage) => {
      const { id: volumeId } = await stage.dense();
      const { id: snapshotId } = await stage.snapshot(volumeId);
      for (const moment of ['before', 0, 'first progress'] as const) {
        const { id } = await stage.createToBeFilled();
        if (moment !== 'before') {
          await stage.scene.abort(moment, (call) => stage.backend.populateVolume(call, { id, snapshotId, fromBytes: 0 }));
        }
        for (let time = 0; time < 2; time++) await stage.backend.deleteVolume(stage.call(), { id });
        assert.equal(await stage.listed(id), undefined, 'a deleted volume is listed');
        const again = await stage.create(id);
        await stage.holds(again, Buffer.alloc(stage.sizeBytes), 'the new volume under an id that was to be filled before');
      }
    },
  },
  {
    method,
    promise: 'leaves its neighbours alone',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const { id } = await stage.volume();
      await stage.backend.deleteVolume(stage.call(), { id });
      await neighbours.untouched();
    },
  },
  {
    method,
    promise: 'never takes the content of a snapshot with it',
    needs: 'snapshot',
    prove: async (stage) => {
      const { id, content } = await stage.volume();
      const snapshot = await stage.snapshot(id);
      const deletion = stage.backend.deleteVolume(stage.call(), { id });
      if (stage.scene.opened.traits.snapshotKind === 'needs-volume') {
        const error = await refused(deletion, 'FAILED_PRECONDITION', 'deleteVolume of a volume with a snapshot that needs it');
        const { dependants } = error.context;
        assert.ok(Array.isArray(dependants) && dependants.includes(snapshot.id), 'context.dependants does not name the snapshot');
      } else {
        await deletion;
      }
      await stage.snapshotHolds(snapshot, content, 'after deleteVolume, the snapshot');
    },
  },
  {
    method,
    promise: 'refuses a call with a lower epoch than one that was seen, with ABORTED',
    prove: async (stage) => {
      const id = newId('volume');
      const volume = await stage.backend.createVolume(stage.call({ epoch: 7 }), { id, sizeBytes: stage.sizeBytes });
      await refused(stage.backend.deleteVolume(stage.call({ epoch: 6 }), { id }), 'ABORTED', 'deleteVolume by who lost its lease');
      assert.deepEqual(await stage.listed(id), volume);
      await stage.backend.deleteVolume(stage.call({ epoch: 8 }), { id });
      assert.equal(await stage.listed(id), undefined);
    },
  },
  {
    method,
    promise: 'refuses an id that is no volume id, and changes nothing',
    prove: async (stage) => {
      const neighbours = await stage.neighbours();
      const [before, files] = [await stage.listing(), await stage.scene.files()];
      for (const id of hostileIds('volume')) {
        await refused(
          stage.backend.deleteVolume(stage.call(), { id }),
          'INVALID_ARGUMENT',
          `deleteVolume of ${JSON.stringify(id.slice(0, 60))}`,
        );
      }
      assert.deepEqual(await stage.listing(), before);
      assert.deepEqual(await stage.scene.files(), files, 'the files of the pool and beside it');
      await neighbours.untouched();
    },
  },
];
