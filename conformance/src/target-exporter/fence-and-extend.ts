import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { holds, pattern, readAll } from '../kit/bytes.js';
import { refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { Exported, ExporterStage } from './stage.js';

function revoke(stage: ExporterStage, { request }: Exported): Promise<void> {
  return stage.exporter.revokeAccess(stage.call(), { exportId: request.exportId });
}

export const revokeAccessProofs: readonly Proof<ExporterStage>[] = [
  {
    method: 'revokeAccess',
    needs: 'fence',
    promise: 'ends every session, and lets nobody in',
    prove: async (stage) => {
      const exported = await stage.export();
      const clients = [await stage.client(exported), await stage.client(exported)];
      await revoke(stage, exported);
      for (const client of clients) await assert.rejects(client.read(0, 512), 'a session outlived revokeAccess');
      await assert.rejects(stage.client(exported), 'somebody was let in after revokeAccess');
      const listed = await stage.listed(exported.request.exportId);
      assert.ok(listed, 'the export is gone, and must stay');
      assert.deepEqual(listed.sessions ?? [], []);
      await revoke(stage, exported);
    },
  },
  {
    method: 'revokeAccess',
    needs: 'fence',
    promise: 'ends when nothing is written any more',
    prove: async (stage) => {
      const exported = await stage.export();
      const client = await stage.client(exported);
      const writes = Array.from({ length: 64 }, (_, index) => client.write((index % 16) * 4096, pattern(`late ${index}`, 4096)));
      const outcomes = Promise.allSettled(writes);
      await revoke(stage, exported);
      const then = await readAll(exported.volume, stage.sizeBytes);
      await outcomes;
      await pause(50);
      await holds(exported.volume, then, 'after revokeAccess, the volume');
    },
  },
  {
    method: 'revokeAccess',
    needs: 'fence',
    promise: 'makes deleteExport possible under a client that does not let go',
    prove: async (stage) => {
      const exported = await stage.export();
      await stage.client(exported);
      await revoke(stage, exported);
      await stage.delete(exported.request.exportId);
      assert.deepEqual(await stage.ids(), []);
    },
  },
  {
    method: 'revokeAccess',
    needs: 'fence',
    promise: 'leaves the I/O of other exports undisturbed',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      const exported = await stage.export();
      await stage.client(exported);
      await revoke(stage, exported);
      await neighbour.undisturbed();
    },
  },
  {
    method: 'revokeAccess',
    needs: 'fence',
    promise: 'answers NOT_FOUND for an absent export',
    prove: async (stage) => {
      const exported = await stage.export();
      await stage.delete(exported.request.exportId);
      await refused(revoke(stage, exported), 'NOT_FOUND', 'revokeAccess of an export that was deleted');
      assert.deepEqual(await stage.ids(), []);
    },
  },
];

export const extendExportProofs: readonly Proof<ExporterStage>[] = [
  {
    method: 'extendExport',
    needs: 'extend',
    promise: "shows the volume's new size, and ends no session",
    prove: async (stage) => {
      const exported = await stage.export();
      const client = await stage.client(exported);
      const neighbour = await stage.busyNeighbour();
      const sizeBytes = stage.sizeBytes * 2;
      await exported.volume.grow(sizeBytes);
      const request = { exportId: exported.request.exportId, volume: { ...exported.request.volume, sizeBytes } };
      for (let time = 0; time < 2; time++) {
        assert.deepEqual(await stage.exporter.extendExport(stage.call(), request), { sizeBytes });
      }
      assert.equal((await stage.listed(request.exportId))?.sizeBytes ?? sizeBytes, sizeBytes);
      await holds(client, exported.content, 'by who was connected before, the volume');
      const grown = { ...exported, content: Buffer.concat([exported.content, Buffer.alloc(stage.sizeBytes)]) };
      const later = await stage.client(exported);
      assert.equal(later.sizeBytes, sizeBytes, 'the size that a new client sees');
      await stage.worksThrough(later, grown);
      await neighbour.undisturbed();
    },
  },
  {
    method: 'extendExport',
    needs: 'extend',
    promise: 'answers NOT_FOUND for an absent export, and makes none',
    prove: async (stage) => {
      const { request } = await stage.export();
      await stage.delete(request.exportId);
      const extension = stage.exporter.extendExport(stage.call(), { exportId: request.exportId, volume: request.volume });
      await refused(extension, 'NOT_FOUND', 'extendExport of an export that was deleted');
      assert.deepEqual(await stage.ids(), []);
    },
  },
];
