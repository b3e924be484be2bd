import { join } from 'node:path';
import test from 'ava';
import { call, exportRequest, KiB, makeFile, makeFixture } from './nbd-fixture.js';

test('createExport › refuses more exports than maxConnections, since not all of them could be connected, and names the key', async (t) => {
  const { make, exporter, directory } = await makeFixture(t, { maxConnections: 2 });
  const first = await make('exp-1', 64 * KiB);
  await make('exp-2', 64 * KiB);
  const third = exportRequest('exp-3', await makeFile(join(directory, 'third'), 64 * KiB), 64 * KiB);
  const error = await t.throwsAsync(exporter.createExport(call(), third), {
    code: 'RESOURCE_EXHAUSTED',
    message: /raise "maxConnections"/,
  });
  t.like(error, { context: { field: 'maxConnections' } });
  await exporter.createExport(call(), first);
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
  await exporter.createExport(call(), third);
});

test('ensureExports › makes also those of live attachments that are more than maxConnections', async (t) => {
  const { exporter, directory } = await makeFixture(t, { maxConnections: 1 });
  const exports = await Promise.all(
    ['exp-1', 'exp-2'].map(async (id) => exportRequest(id, await makeFile(join(directory, id), 64 * KiB), 64 * KiB)),
  );
  await exporter.ensureExports(call(), { exports });
  t.is((await exporter.listExports(call())).length, 2);
});

test('check › tells when every connection is taken, so that a guest could not come back', async (t) => {
  const { make, exporter, connect } = await makeFixture(t, { maxConnections: 2 });
  await make('exp-1', 64 * KiB);
  const first = await connect('exp-1');
  t.deepEqual(await exporter.check?.(call()), []);
  await connect('exp-1');
  t.regex((await exporter.check?.(call()))?.join() ?? '', /has 2 clients, and takes no more/);
  await first.disconnect();
});
