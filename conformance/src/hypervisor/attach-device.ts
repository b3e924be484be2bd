import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { holds, pattern } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { HypervisorStage } from './stage.js';

const method = 'attachDevice';

export const attachDeviceProofs: readonly Proof<HypervisorStage>[] = [
  {
    method,
    promise: "shows the guest the volume's bytes and size, and brings its writes to the volume",
    prove: async (stage) => {
      const disk = await stage.attached();
      assert.equal((await stage.guest(disk)).sizeBytes, stage.sizeBytes);
      await stage.worksInGuest(disk);
    },
  },
  {
    method,
    promise: 'is idempotent',
    prove: async (stage) => {
      const disk = await stage.attached();
      await stage.worksInGuest(disk);
      const before = await stage.listed(disk);
      await stage.attach(disk);
      assert.deepEqual(await stage.listed(disk), before);
      await stage.worksInGuest(disk, 'after the repeat');
    },
  },
  {
    method,
    promise: 'refuses a slot that holds another source with FAILED_PRECONDITION, and changes nothing',
    prove: async (stage) => {
      const holder = await stage.attached();
      const other = await stage.disk();
      const error = await refused(stage.attach(other), 'FAILED_PRECONDITION', 'attachDevice to a taken slot');
      assert.equal(error.context.slot, holder.request.slot, 'context.slot');
      await stage.worksInGuest(holder, 'after the refusal');
      await holds(other.behind, other.content, 'the volume that was refused');
    },
  },
  {
    method,
    promise: 'answers NOT_FOUND for a VM that the node does not have',
    prove: async (stage) => {
      const disk = await stage.disk();
      const before = await stage.hypervisor.listDevices(stage.call());
      const request = { ...disk.request, vm: 'conformance-no-such-vm' };
      await refused(stage.hypervisor.attachDevice(stage.call(), request), 'NOT_FOUND', 'attachDevice to an absent VM');
      assert.deepEqual(await stage.hypervisor.listDevices(stage.call()), before);
    },
  },
  {
    method,
    promise: 'puts in one disk when two callers race with the same request',
    prove: async (stage) => {
      const disk = await stage.disk();
      await raced(
        [1, 2].map(() => stage.attach(disk)),
        method,
      );
      await stage.attach(disk);
      await stage.worksInGuest(disk);
    },
  },
  {
    method,
    promise: 'gives a slot to one of two sources that race for it',
    prove: async (stage) => {
      const disks = [await stage.disk(), await stage.disk()];
      const outcomes = await Promise.allSettled(disks.map((disk) => stage.attach(disk)));
      const winners = disks.filter((_disk, index) => outcomes[index]?.status === 'fulfilled');
      assert.equal(winners.length, 1, `${winners.length} of two sources got one slot`);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') await refused(Promise.reject(outcome.reason), ['FAILED_PRECONDITION', 'ABORTED'], 'the loser');
      }
      for (const winner of winners) await stage.worksInGuest(winner);
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat brings the disk in',
    prove: async (stage) => {
      for (const moment of moments) {
        const disk = await stage.disk();
        await stage.scene.abort(moment, (call) => stage.hypervisor.attachDevice(call, disk.request));
        await stage.attach(disk);
        await stage.worksInGuest(disk);
        await stage.detach(disk);
      }
    },
  },
  {
    method,
    needs: 'read-only',
    promise: 'lets no guest write to a read-only disk',
    prove: async (stage) => {
      const disk = await stage.attached({ access: 'read-only' });
      assert.equal((await stage.listed(disk))?.access, 'read-only');
      const guest = await stage.guest(disk);
      await holds(guest, disk.content, "the guest's disk");
      const outcome = await guest
        .write(0, pattern('a write that is refused', 4096))
        .then(() => guest.flush())
        .then(
          () => 'done',
          () => 'refused',
        );
      await holds(disk.behind, disk.content, 'behind a read-only disk, the volume');
      assert.equal(outcome, 'refused', 'a write to a read-only disk was answered as done');
    },
  },
  {
    method,
    promise: 'leaves the disks of other slots and VMs alone',
    prove: async (stage) => {
      const neighbours = [await stage.attached({ device: 1 }), await stage.attached({ vm: 1 })];
      const before = await Promise.all(neighbours.map((disk) => stage.listed(disk)));
      const disk = await stage.attached();
      await stage.worksInGuest(disk);
      for (const neighbour of neighbours) await stage.worksInGuest(neighbour);
      assert.deepEqual(await Promise.all(neighbours.map((neighbour) => stage.listed(neighbour))), before);
    },
  },
];

/** How a hypervisor refuses what a capability without methods would allow. */
export const hypervisorRefusals: Readonly<Record<string, (stage: HypervisorStage) => Promise<void>>> = {
  'read-only': async (stage) => {
    const disk = await stage.disk({ access: 'read-only' });
    await refused(stage.attach(disk), 'UNSUPPORTED', 'attachDevice of a read-only disk by a hypervisor without read-only');
    assert.equal(await stage.listed(disk), undefined);
  },
};
