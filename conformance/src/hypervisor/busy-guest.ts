import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Proof } from '../kit/test.js';
import type { HoldDevice } from './setup.js';
import type { HypervisorStage } from './stage.js';

const letsGoWithinMs = 10_000;

/** What becomes of a disk whose guest does not let go (safety A5); nothing where a guest cannot be made busy. */
export function busyGuestProofs(holdDevice: HoldDevice | null): readonly Proof<HypervisorStage>[] {
  if (holdDevice === null) return [];
  return [
    {
      method: 'detachDevice',
      promise: 'leaves the disk with a guest that is busy, says so, and has it out once the guest lets go',
      prove: async (stage) => {
        const disk = await stage.attached();
        const letGo = await holdDevice(stage.scene, disk.vmId, disk.request.slot);
        try {
          for (let time = 0; time < 2; time++) {
            const { result } = await stage.detach(disk);
            assert.notEqual(result, 'detached', 'detached was answered while the guest holds the disk');
            assert.equal((await stage.listed(disk))?.state, 'attached', 'the listed state of a disk that the guest holds');
            await stage.worksInGuest(disk, `busy ${time}`);
          }
        } finally {
          await letGo();
        }
        const end = Date.now() + letsGoWithinMs;
        while ((await stage.detach(disk)).result !== 'detached') {
          assert.ok(Date.now() < end, `the disk is still there ${letsGoWithinMs} ms after the guest let go`);
          await pause(20);
        }
        await stage.gone(disk);
      },
    },
  ];
}
