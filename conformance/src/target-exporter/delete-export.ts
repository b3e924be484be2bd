import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { holds } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import { newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { ExporterStage } from './stage.js';

const method = 'deleteExport';

export const deleteExportProofs: readonly Proof<ExporterStage>[] = [
  {
    method,
    promise: 'takes the export away, and leaves the volume',
    prove: async (stage) => {
      const exported = await stage.export();
      await stage.worksThrough(await stage.client(exported), exported);
      await stage.disconnectAll();
      await stage.deserted(exported.request.exportId);
      await stage.delete(exported.request.exportId);
      assert.deepEqual(await stage.ids(), []);
      await assert.rejects(stage.client(exported), 'somebody was let into a deleted export');
      await holds(exported.volume, exported.content, 'behind a deleted export, the volume');
    },
  },
  {
    method,
    promise: 'succeeds for what is absent',
    prove: async (stage) => {
      await stage.delete(newId('export'));
      const { request } = await stage.export();
      for (let time = 0; time < 2; time++) await stage.delete(request.exportId);
      assert.deepEqual(await stage.ids(), []);
    },
  },
  {
    method,
    promise: 'succeeds for two callers at once',
    prove: async (stage) => {
      const { request } = await stage.export();
      await raced(
        [1, 2].map(() => stage.delete(request.exportId)),
        method,
      );
      await stage.delete(request.exportId);
      assert.deepEqual(await stage.ids(), []);
    },
  },
  {
    method,
    promise: 'refuses while somebody is connected, who notices nothing',
    prove: async (stage) => {
      const exported = await stage.export();
      const client = await stage.client(exported);
      // A protocol that knows no sessions cannot tell that there is one.
      if ((await stage.listed(exported.request.exportId))?.sessions === undefined) return;
      const error = await refused(stage.delete(exported.request.exportId), 'FAILED_PRECONDITION', 'deleteExport under a session');
      const { sessions } = error.context;
      assert.ok(Array.isArray(sessions) && sessions.length === 1, 'context.sessions does not tell the session');
      await stage.worksThrough(client, exported);
      await stage.worksThrough(await stage.client(exported), exported, 'by one who came after the refusal');
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat takes the export away',
    prove: async (stage) => {
      for (const moment of moments) {
        const { request } = await stage.export();
        await stage.scene.abort(moment, (call) => stage.exporter.deleteExport(call, { exportId: request.exportId }));
        await stage.delete(request.exportId);
        assert.deepEqual(await stage.ids(), []);
      }
    },
  },
  {
    method,
    promise: 'leaves the I/O of other exports undisturbed',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      for (let round = 0; round < 3; round++) {
        const { request } = await stage.export();
        await stage.delete(request.exportId);
      }
      await neighbour.undisturbed();
    },
  },
  {
    method,
    promise: 'refuses a call with a lower epoch than one that was seen, with ABORTED',
    prove: async (stage) => {
      const prepared = await stage.prepare();
      const { exportId } = prepared.request;
      const connection = await stage.create(prepared, { epoch: 7 });
      const late = stage.exporter.deleteExport(stage.call({ epoch: 6 }), { exportId });
      await refused(late, 'ABORTED', 'deleteExport by who lost its lease');
      await stage.worksThrough(await stage.connect(prepared, connection), prepared);
    },
  },
];
