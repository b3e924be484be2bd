import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { holds, pattern } from '../kit/bytes.js';
import { refused } from '../kit/expect.js';
import { inTime, type Proof } from '../kit/test.js';
import type { Disk, HypervisorStage } from './stage.js';

const method = 'freezeVm';
const needs = 'freeze';
/** Long enough for a write that is not held back to have arrived. */
const heldForMs = 200;
const limitMs = 30_000;
const thawsWithinMs = 5_000;

function freeze(stage: HypervisorStage, { request }: Disk, forMs = limitMs): Promise<void> {
  return stage.hypervisor.freezeVm(stage.call(), { vm: request.vm, limitMs: forMs });
}

function thaw(stage: HypervisorStage, { request }: Disk): Promise<void> {
  return stage.hypervisor.thawVm(stage.call(), { vm: request.vm });
}

export const freezeVmProofs: readonly Proof<HypervisorStage>[] = [
  {
    method,
    needs,
    promise: 'makes durable what the guest wrote, and holds its writes back until thawVm',
    prove: async (stage) => {
      const disk = await stage.attached();
      const guest = await stage.guest(disk);
      const early = pattern('before the freeze', 4096);
      await guest.write(0, early);
      early.copy(disk.content, 0);
      for (let time = 0; time < 2; time++) await freeze(stage, disk);
      await holds(disk.behind, disk.content, 'after freezeVm, the volume');
      const late = pattern('during the freeze', 4096);
      let arrived = false;
      const writing = guest.write(8192, late).then(() => {
        arrived = true;
      });
      try {
        await pause(heldForMs);
        assert.equal(arrived, false, 'a write of a frozen guest was answered');
        await holds(disk.behind, disk.content, 'while the VM is frozen, the volume');
      } finally {
        for (let time = 0; time < 2; time++) await thaw(stage, disk);
        await writing;
      }
      late.copy(disk.content, 8192);
      await stage.worksInGuest(disk, 'after the thaw');
    },
  },
  {
    method,
    needs,
    promise: 'lets the guest write again by itself when its limit is over',
    prove: async (stage) => {
      const disk = await stage.attached();
      const guest = await stage.guest(disk);
      await freeze(stage, disk, heldForMs);
      const late = pattern('during the freeze', 4096);
      await inTime(guest.write(0, late), heldForMs + thawsWithinMs, 'a write has not ended after the limit of a freeze');
      late.copy(disk.content, 0);
      await stage.worksInGuest(disk, 'after the limit');
    },
  },
  {
    method,
    needs,
    promise: 'refuses a limit that is none with OUT_OF_RANGE, and holds nothing back',
    prove: async (stage) => {
      const disk = await stage.attached();
      for (const illegal of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await refused(freeze(stage, disk, illegal), 'OUT_OF_RANGE', `freezeVm for ${illegal} ms`);
      }
      await stage.worksInGuest(disk);
    },
  },
  {
    method,
    needs,
    promise: 'leaves other VMs alone',
    prove: async (stage) => {
      const [frozen, neighbour] = [await stage.attached(), await stage.attached({ vm: 1 })];
      await freeze(stage, frozen);
      try {
        await stage.worksInGuest(neighbour);
      } finally {
        await thaw(stage, frozen);
      }
    },
  },
];
