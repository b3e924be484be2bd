import assert from 'node:assert/strict';
import { refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { Exported, ExporterStage } from './stage.js';

const method = 'ensureExports';

function ensure(stage: ExporterStage, exports: readonly Exported[]): Promise<void> {
  return stage.exporter.ensureExports(stage.call(), { exports: exports.map(({ request }) => request) });
}

export const ensureExportsProofs: readonly Proof<ExporterStage>[] = [
  {
    method,
    promise: 'makes exports again after a restart, with the connections that they had',
    prove: async (stage) => {
      const made = [await stage.export(), await stage.export()];
      await stage.scene.reopen();
      const survived = await stage.ids();
      const { lifetime } = stage.scene.opened.provider;
      const expected = lifetime === 'process' ? [] : made.map(({ request }) => request.exportId).sort();
      assert.deepEqual(survived, expected, `what a restart leaves of exports of lifetime ${lifetime}`);
      await ensure(stage, made);
      for (const exported of made) {
        assert.equal((await stage.listed(exported.request.exportId))?.connection.key, exported.connection.key, 'the key after a restart');
        assert.deepEqual(await stage.create(exported), exported.connection, 'the connection after a restart');
        await stage.worksThrough(await stage.client(exported), exported);
      }
    },
  },
  {
    method,
    promise: 'makes what is missing, and leaves untouched what is there, while its I/O goes on',
    prove: async (stage) => {
      const [kept, lost] = [await stage.export(), await stage.export()];
      const client = await stage.client(kept);
      const neighbour = await stage.busyNeighbour();
      await stage.delete(lost.request.exportId);
      for (let time = 0; time < 2; time++) await ensure(stage, [kept, lost]);
      await stage.worksThrough(client, kept, 'by who was connected before');
      await stage.worksThrough(await stage.client(lost), lost, 'by the export that was missing');
      await neighbour.undisturbed();
    },
  },
  {
    method,
    promise: 'removes nothing that it is not told of',
    prove: async (stage) => {
      const [first, second] = [await stage.export(), await stage.export()];
      await ensure(stage, []);
      await ensure(stage, [first]);
      await stage.worksThrough(await stage.client(second), second);
    },
  },
  {
    method,
    needs: 'fence',
    promise: 'never opens again what revokeAccess shut',
    prove: async (stage) => {
      const exported = await stage.export();
      await stage.exporter.revokeAccess(stage.call(), { exportId: exported.request.exportId });
      await ensure(stage, [exported]).catch((error: unknown) => refused(Promise.reject(error), 'FAILED_PRECONDITION', method));
      await assert.rejects(stage.client(exported), 'somebody was let into a revoked export');
    },
  },
];
