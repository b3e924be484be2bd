import assert from 'node:assert/strict';
import type { OpenedInstance } from '@vbs/core';
import { refused } from '../kit/expect.js';
import { newId, newStoreId } from '../kit/ids.js';
import type { OpeningOptions } from '../kit/scene.js';
import type { Proof } from '../kit/test.js';
import type { BackendStage } from './stage.js';

/** Opens, and looks into the pool: a backend may see at either moment that the pool is not this store's. */
async function look(stage: BackendStage, options: OpeningOptions): Promise<unknown> {
  const opened: OpenedInstance<'volumeBackend'> = await stage.scene.open(options);
  return opened.contract.listVolumes(stage.call());
}

export const poolProofs: readonly Proof<BackendStage>[] = [
  {
    method: 'open',
    promise: 'finds everything again after a restart',
    prove: async (stage) => {
      const { volume, content } = await stage.volume();
      const snapshot = stage.scene.has('snapshot') ? await stage.snapshot(volume.id) : undefined;
      const before = await stage.listing();
      await stage.scene.reopen();
      assert.deepEqual(await stage.listing(), before);
      await stage.holds(volume, content, 'after a restart, the volume');
      if (snapshot !== undefined) await stage.snapshotHolds(snapshot, content, 'after a restart, the snapshot');
    },
  },
  {
    method: 'open',
    promise: 'refuses the pool of another store, and changes nothing in it',
    prove: async (stage) => {
      const { volume, content } = await stage.volume();
      const before = await stage.listing();
      for (const knowsPool of [false, true]) {
        await refused(look(stage, { storeId: newStoreId(), knowsPool }), 'FAILED_PRECONDITION', "another store's opening of the pool");
      }
      assert.deepEqual(await stage.listing(), before);
      await stage.holds(volume, content);
    },
  },
  {
    method: 'open',
    promise: 'answers UNAVAILABLE for a known pool without its mark, and does not mark it',
    prove: async (stage) => {
      const config = await stage.scene.otherConfig();
      for (const attempt of ['the first', 'the second']) {
        await refused(look(stage, { config }), 'UNAVAILABLE', `${attempt} opening of a known pool without its mark`);
      }
    },
  },
  {
    method: 'listVolumes',
    promise: 'lists each volume once, with its size and locator, and nothing else',
    prove: async (stage) => {
      assert.deepEqual(await stage.backend.listVolumes(stage.call()), [], 'a new pool');
      const made = [];
      for (const factor of [1, 2, 1]) made.push(await stage.create(newId('volume'), stage.sizeBytes * factor));
      const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);
      assert.deepEqual([...(await stage.backend.listVolumes(stage.call()))].sort(byId), made.sort(byId));
    },
  },
  {
    method: 'getCapacity',
    promise: 'counts what was promised',
    prove: async (stage) => {
      const before = await stage.backend.getCapacity(stage.call());
      for (const [name, bytes] of Object.entries(before)) assert.ok(Number.isSafeInteger(bytes) && bytes >= 0, `${name} is ${bytes}`);
      assert.ok(before.availableBytes <= before.totalBytes, 'availableBytes is more than totalBytes');
      const { id } = await stage.create();
      const { provisionedBytes } = await stage.backend.getCapacity(stage.call());
      assert.ok(provisionedBytes >= before.provisionedBytes + stage.sizeBytes, 'provisionedBytes does not count the new volume');
      await stage.backend.deleteVolume(stage.call(), { id });
      assert.equal((await stage.backend.getCapacity(stage.call())).provisionedBytes, before.provisionedBytes);
    },
  },
  {
    method: 'markEpoch',
    promise: 'keeps the highest epoch of the pool, also after a restart',
    prove: async (stage) => {
      const mark = async (epoch: number) => (await stage.backend.markEpoch(stage.call(), { epoch })).epoch;
      assert.equal(await mark(5), 5);
      assert.equal(await mark(5), 5, 'the repeat');
      assert.equal(await mark(3), 5, 'a lower epoch');
      await stage.scene.reopen();
      assert.equal(await mark(4), 5, 'a lower epoch after a restart');
      assert.equal(await mark(9), 9);
    },
  },
];
