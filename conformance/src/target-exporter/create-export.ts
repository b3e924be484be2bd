import assert from 'node:assert/strict';
import { Secret } from '@vbs/core';
import { moments } from '../kit/abort.js';
import { holds, pattern } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds, newId } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { ExporterStage } from './stage.js';

const method = 'createExport';

export const createExportProofs: readonly Proof<ExporterStage>[] = [
  {
    method,
    promise: "makes a volume's bytes reachable, to its last byte",
    prove: async (stage) => {
      const exported = await stage.export();
      assert.equal(exported.connection.protocol, stage.scene.opened.provider.protocol);
      const client = await stage.client(exported);
      assert.equal(client.sizeBytes, stage.sizeBytes);
      assert.equal(client.readOnly, false);
      await holds(client, exported.content, 'the volume through its export');
      await stage.worksThrough(client, exported);
    },
  },
  {
    method,
    promise: 'is idempotent, and leaves its sessions alone',
    prove: async (stage) => {
      const exported = await stage.export();
      const client = await stage.client(exported);
      assert.deepEqual(await stage.create(exported), exported.connection, 'the answer of the repeat');
      assert.ok(await stage.listed(exported.request.exportId));
      await stage.worksThrough(client, exported);
    },
  },
  {
    method,
    promise: 'gives every export a key of its own',
    prove: async (stage) => {
      const keys = [];
      for (let count = 0; count < 3; count++) keys.push((await stage.export()).connection.key);
      assert.equal(new Set(keys).size, keys.length, `the keys are ${keys.join(', ')}`);
    },
  },
  {
    method,
    promise: 'refuses an id that serves another volume with ALREADY_EXISTS',
    prove: async (stage) => {
      const exported = await stage.export();
      const other = await stage.prepare();
      const request = { ...other.request, exportId: exported.request.exportId };
      await refused(stage.create({ ...other, request }), 'ALREADY_EXISTS', 'createExport of another volume');
      await stage.worksThrough(await stage.client(exported), exported);
      await holds(other.volume, other.content, 'the other volume');
    },
  },
  {
    method,
    needs: 'read-only',
    promise: 'refuses an id that has another access mode with ALREADY_EXISTS',
    prove: async (stage) => {
      const exported = await stage.export({ access: 'read-only' });
      const request = { ...exported.request, access: 'read-write' } as const;
      await refused(stage.create({ ...exported, request }), 'ALREADY_EXISTS', 'createExport with another access mode');
      assert.equal((await stage.listed(request.exportId))?.access, 'read-only');
    },
  },
  {
    method,
    promise: "answers NOT_FOUND when the volume's locator leads nowhere, and makes nothing",
    prove: async (stage) => {
      const prepared = await stage.prepare();
      await prepared.volume.remove();
      await refused(stage.create(prepared), 'NOT_FOUND', 'createExport of a volume that is gone');
      assert.deepEqual(await stage.ids(), []);
    },
  },
  {
    method,
    promise: 'refuses a volume that is larger than what its locator leads to with FAILED_PRECONDITION, and makes nothing',
    prove: async (stage) => {
      const prepared = await stage.prepare();
      const volume = { ...prepared.request.volume, sizeBytes: stage.sizeBytes * 2 };
      const attempt = stage.create({ ...prepared, request: { ...prepared.request, volume } });
      await refused(attempt, 'FAILED_PRECONDITION', 'createExport of more bytes than there are');
      assert.deepEqual(await stage.ids(), []);
    },
  },
  {
    method,
    needs: 'fence',
    promise: 'refuses an export that was revoked with FAILED_PRECONDITION, and lets nobody in',
    prove: async (stage) => {
      const exported = await stage.export();
      await stage.exporter.revokeAccess(stage.call(), { exportId: exported.request.exportId });
      await refused(stage.create(exported), 'FAILED_PRECONDITION', 'createExport of a revoked export');
      await assert.rejects(stage.client(exported), 'somebody was let into a revoked export');
    },
  },
  {
    method,
    promise: 'makes one export when two callers race for its id',
    prove: async (stage) => {
      const prepared = await stage.prepare();
      const answers = await raced(
        [1, 2].map(() => stage.create(prepared)),
        method,
      );
      const connection = await stage.create(prepared);
      for (const answer of answers) assert.deepEqual(answer, connection);
      assert.deepEqual(await stage.ids(), [prepared.request.exportId]);
      await stage.worksThrough(await stage.connect(prepared, connection), prepared);
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat makes the export whole',
    prove: async (stage) => {
      for (const moment of moments) {
        const prepared = await stage.prepare();
        const { exportId } = prepared.request;
        await stage.scene.abort(moment, (call) => stage.exporter.createExport(call, prepared.request));
        const connection = await stage.create(prepared);
        assert.deepEqual((await stage.listed(exportId))?.connection.key, connection.key);
        await stage.worksThrough(await stage.connect(prepared, connection), prepared);
        await stage.disconnectAll();
        await stage.deserted(exportId);
        await stage.delete(exportId);
      }
    },
  },
  {
    method,
    needs: 'read-only',
    promise: 'lets nobody write to a read-only export',
    prove: async (stage) => {
      const exported = await stage.export({ access: 'read-only' });
      assert.equal((await stage.listed(exported.request.exportId))?.access, 'read-only');
      const client = await stage.client(exported);
      assert.equal(client.readOnly, true, 'the client was not told that the export is read-only');
      await holds(client, exported.content, 'the volume through its export');
      const outcome = await client.write(0, pattern('a write that is refused', 4096)).then(
        () => 'done',
        () => 'refused',
      );
      await holds(exported.volume, exported.content, 'behind a read-only export, the volume');
      assert.equal(outcome, 'refused', 'a write to a read-only export was answered as done');
    },
  },
  {
    method,
    needs: 'multi-attach',
    promise: 'serves one volume by two exports',
    prove: async (stage) => {
      const first = await stage.export();
      const second = await stage.export({ of: first });
      assert.notEqual(first.connection.key, second.connection.key);
      await stage.worksThrough(await stage.client(first), first, 'by the first export');
      await stage.worksThrough(await stage.client(second), second, 'by the second export');
    },
  },
  {
    method,
    promise: 'asks for the CHAP secret where it declares chap',
    prove: async (stage) => {
      if (!stage.scene.has('chap')) return;
      const exported = await stage.export();
      const wrong = { user: exported.request.exportId, password: new Secret('not the password') };
      await assert.rejects(stage.connect(exported, exported.connection, wrong), 'somebody with a wrong password was let in');
      await stage.worksThrough(await stage.client(exported), exported);
    },
  },
  {
    method,
    promise: 'lets in only whom it was told to where it declares acl',
    prove: async (stage) => {
      if (!stage.scene.has('acl')) return;
      const prepared = await stage.prepare();
      const request = { ...prepared.request, initiators: [stage.stranger] };
      const connection = await stage.create({ ...prepared, request });
      await assert.rejects(stage.connect(prepared, connection), 'somebody who is not on the list was let in');
    },
  },
  {
    method,
    promise: 'refuses an id that is no export id, or serves it under this id alone, and touches nothing else',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      const prepared = await stage.prepare();
      const [files, before] = [await stage.scene.files(), await stage.ids()];
      for (const exportId of hostileIds('export')) {
        const { request } = await stage.prepare({ exportId, of: prepared });
        const what = `createExport of ${JSON.stringify(exportId.slice(0, 60))}`;
        const made = await stage
          .create({ ...prepared, request })
          .catch((error: unknown) => refused(Promise.reject(error), 'INVALID_ARGUMENT', what));
        if ('protocol' in made) assert.ok(await stage.listed(exportId), `${exportId} is listed under another id`);
        await stage.delete(exportId).catch((error: unknown) => refused(Promise.reject(error), 'INVALID_ARGUMENT', what));
        assert.deepEqual(await stage.ids(), before);
      }
      assert.deepEqual(await stage.scene.files(), files, 'the files of the volumes and beside them');
      await holds(prepared.volume, prepared.content, 'the volume');
      await neighbour.undisturbed();
    },
  },
  {
    method,
    promise: 'leaves the I/O of other exports undisturbed',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      for (let round = 0; round < 3; round++) {
        const exported = await stage.export();
        await stage.worksThrough(await stage.client(exported), exported, newId('export'));
      }
      await neighbour.undisturbed();
    },
  },
];

/** How an exporter refuses what a capability without methods would allow. */
export const exporterRefusals: Readonly<Record<string, (stage: ExporterStage) => Promise<void>>> = {
  'read-only': async (stage) => {
    const prepared = await stage.prepare({ access: 'read-only' });
    await refused(stage.create(prepared), 'UNSUPPORTED', 'createExport of a read-only export by an exporter without read-only');
    assert.deepEqual(await stage.ids(), []);
  },
  'multi-attach': async (stage) => {
    const first = await stage.export();
    const second = await stage.prepare({ of: first });
    await refused(
      stage.create(second),
      'FAILED_PRECONDITION',
      'createExport of a volume that has an export, by an exporter without multi-attach',
    );
    assert.deepEqual(await stage.ids(), [first.request.exportId]);
  },
};
