import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { holds } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { Disk, HypervisorStage } from './stage.js';

const method = 'detachDevice';

async function takenOut(stage: HypervisorStage, disk: Disk): Promise<void> {
  assert.deepEqual(await stage.detach(disk), { result: 'detached' });
}

export const detachDeviceProofs: readonly Proof<HypervisorStage>[] = [
  {
    method,
    promise: 'takes the disk out, and leaves the bytes that the guest wrote',
    prove: async (stage) => {
      const disk = await stage.attached();
      await stage.worksInGuest(disk);
      await takenOut(stage, disk);
      await stage.gone(disk);
      await holds(disk.behind, disk.content, 'after detachDevice, the volume');
    },
  },
  {
    method,
    promise: 'makes room for another disk, and for the same one again',
    prove: async (stage) => {
      const [first, second] = [await stage.attached(), await stage.disk()];
      await takenOut(stage, first);
      await stage.attach(second);
      await stage.worksInGuest(second);
      await takenOut(stage, second);
      await stage.attach(first);
      await stage.worksInGuest(first);
    },
  },
  {
    method,
    promise: 'answers detached for what is absent',
    prove: async (stage) => {
      const disk = await stage.disk();
      await takenOut(stage, disk);
      await stage.attach(disk);
      for (let time = 0; time < 2; time++) await takenOut(stage, disk);
    },
  },
  {
    method,
    promise: 'answers detached for an absent VM when no VM has the source, and only then',
    prove: async (stage) => {
      const disk = await stage.disk();
      const elsewhere = { ...disk, request: { ...disk.request, vm: 'conformance-no-such-vm' } };
      await takenOut(stage, elsewhere);
      await stage.attach(disk);
      const answer = await stage.detach(elsewhere).catch((error: unknown) => refused(Promise.reject(error), 'FAILED_PRECONDITION', method));
      assert.ok(!('result' in answer) || answer.result !== 'detached', 'detached was answered while a VM has the source');
      await stage.worksInGuest(disk);
    },
  },
  {
    method,
    promise: 'refuses a slot that holds another source with FAILED_PRECONDITION, and leaves its disk',
    prove: async (stage) => {
      const [holder, other] = [await stage.attached(), await stage.disk()];
      await refused(stage.detach(other), 'FAILED_PRECONDITION', 'detachDevice of a slot with another source');
      await stage.worksInGuest(holder, 'after the refusal');
    },
  },
  {
    method,
    promise: 'succeeds for two callers at once',
    prove: async (stage) => {
      const disk = await stage.attached();
      await raced(
        [1, 2].map(() => stage.detach(disk)),
        method,
      );
      await takenOut(stage, disk);
      await stage.gone(disk);
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat takes the disk out',
    prove: async (stage) => {
      for (const moment of moments) {
        const disk = await stage.attached();
        await stage.scene.abort(moment, (call) => stage.hypervisor.detachDevice(call, disk.request));
        await takenOut(stage, disk);
        await stage.gone(disk);
      }
    },
  },
  {
    method,
    promise: 'leaves the disks of other slots and VMs alone',
    prove: async (stage) => {
      const disk = await stage.attached();
      const neighbours = [await stage.attached({ device: 1 }), await stage.attached({ vm: 1 })];
      await takenOut(stage, disk);
      for (const neighbour of neighbours) await stage.worksInGuest(neighbour);
    },
  },
  {
    method,
    promise: 'refuses a call with a lower epoch than one that was seen, with ABORTED',
    prove: async (stage) => {
      const disk = await stage.disk();
      await stage.attach(disk, { epoch: 7 });
      await refused(stage.detach(disk, { epoch: 6 }), 'ABORTED', 'detachDevice by who lost its lease');
      await stage.worksInGuest(disk, 'after the refusal');
    },
  },
];
