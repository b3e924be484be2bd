import assert from 'node:assert/strict';
import type { Proof } from '../kit/test.js';
import type { DiskOptions, HypervisorStage } from './stage.js';

export const listAndExtendProofs: readonly Proof<HypervisorStage>[] = [
  {
    method: 'listDevices',
    promise: 'lists every disk of every VM with its slot, access and, where it tells it, source',
    prove: async (stage) => {
      const before = (await stage.hypervisor.listDevices(stage.call())).length;
      const second: DiskOptions = stage.scene.has('read-only') ? { device: 1, access: 'read-only' } : { device: 1 };
      const disks = [await stage.attached(), await stage.attached(second), await stage.attached({ vm: 1 })];
      for (const disk of disks) {
        const found = await stage.listed(disk);
        assert.ok(found, `${disk.request.slot} of ${disk.vmId} is not listed`);
        assert.equal(found.state, 'attached');
        assert.equal(found.access, disk.request.access);
        const { source } = disk.request;
        if (found.source?.kind === 'block') assert.deepEqual(found.source, source);
        if (found.source?.kind === 'connection') {
          assert.equal(found.source.connection.key, source.kind === 'connection' ? source.connection.key : undefined);
        }
      }
      assert.equal((await stage.hypervisor.listDevices(stage.call())).length, before + disks.length);
    },
  },
  {
    method: 'listDevices',
    promise: 'still lists after a restart what outlives the process',
    prove: async (stage) => {
      const disk = await stage.attached();
      const before = await stage.listed(disk);
      await stage.scene.reopen();
      assert.deepEqual(await stage.listed(disk), stage.scene.opened.provider.lifetime === 'process' ? undefined : before);
    },
  },
  {
    method: 'extendDevice',
    needs: 'extend',
    promise: 'shows the guest the new size, and keeps its bytes',
    prove: async (stage) => {
      const disk = await stage.attached();
      const neighbour = await stage.attached({ device: 1 });
      await stage.worksInGuest(disk);
      const sizeBytes = stage.sizeBytes * 2;
      await disk.behind.grow(sizeBytes);
      const { attachmentId, vm, slot, source } = disk.request;
      for (let time = 0; time < 2; time++) {
        const answer = await stage.hypervisor.extendDevice(stage.call(), { attachmentId, vm, slot, source, sizeBytes });
        assert.deepEqual(answer, { sizeBytes });
      }
      assert.equal((await stage.guest(disk)).sizeBytes, sizeBytes, 'the size that the guest sees');
      disk.content = Buffer.concat([disk.content, Buffer.alloc(stage.sizeBytes)]);
      await stage.worksInGuest(disk, 'into what was added');
      assert.equal((await stage.guest(neighbour)).sizeBytes, stage.sizeBytes, 'the size of another disk');
      await stage.worksInGuest(neighbour);
    },
  },
];
