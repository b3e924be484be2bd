import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { Proof } from '../kit/test.js';
import type { ExporterStage } from './stage.js';

export const listExportsProofs: readonly Proof<ExporterStage>[] = [
  {
    method: 'listExports',
    promise: 'lists each export once, with its connection, access and size, and nothing else',
    prove: async (stage) => {
      assert.deepEqual(await stage.ids(), [], 'a new exporter');
      const made = [
        await stage.export(),
        await stage.export(stage.scene.has('read-only') ? { access: 'read-only' } : {}),
        await stage.export(),
      ];
      assert.deepEqual(await stage.ids(), made.map(({ request }) => request.exportId).sort());
      for (const { request, connection } of made) {
        const found = await stage.listed(request.exportId);
        assert.equal(found?.connection.key, connection.key, 'the key of the listed connection');
        assert.equal(found?.connection.protocol, connection.protocol);
        assert.equal(found?.access, request.access);
        if (found?.sizeBytes !== undefined) assert.equal(found.sizeBytes, stage.sizeBytes);
        if (found?.sessions !== undefined) assert.deepEqual(found.sessions, []);
      }
    },
  },
  {
    method: 'listExports',
    promise: 'tells who is connected, as far as its protocol knows sessions',
    prove: async (stage) => {
      const exported = await stage.export();
      const { exportId } = exported.request;
      const client = await stage.client(exported);
      await client.read(0, 512);
      const during = (await stage.listed(exportId))?.sessions;
      if (during === undefined) return;
      assert.equal(during.length, 1, `${during.length} sessions of one client`);
      assert.ok((during[0]?.initiator ?? '') !== '', 'the session has no initiator');
      await client.disconnect();
      await stage.deserted(exportId);
    },
  },
  {
    method: 'listExports',
    promise: 'tells no secret',
    prove: async (stage) => {
      const { request } = await stage.export();
      const listed = await stage.listed(request.exportId);
      assert.ok(listed);
      const shown = `${inspect(listed, { depth: 10 })} ${JSON.stringify(listed)}`;
      const password = request.chap?.password.reveal();
      assert.ok(password === undefined || !shown.includes(password), 'listExports shows the CHAP secret');
      assert.ok(!('chap' in listed.connection) || listed.connection.chap === undefined, 'listExports answers credentials');
    },
  },
];
