import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { type Access, type ExportRequest, isVbsError, VbsError } from '@vbs/core';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test from 'ava';
import {
  call,
  exportRequest,
  type Fixture,
  instance,
  KiB,
  MiB,
  makeFile,
  makeFixture,
  openExporter,
  pattern,
  sessionsOf,
  until,
} from './nbd-fixture.js';
import { RawClient } from './raw-client.js';

test('createExport › answers a URI under which a client finds the volume', async (t) => {
  const { exporter, directory } = await makeFixture(t);
  const request = exportRequest('exp-1', await makeFile(join(directory, 'v'), 3 * MiB), 3 * MiB);
  const connection = await exporter.createExport(call(), request);
  t.regex(connection.uri, /^nbd:\/\/127\.0\.0\.1:\d+\/exp-1$/);
  const client = await NbdClient.connect({ uri: connection.uri });
  t.is(client.sizeBytes, 3 * MiB);
  await client.disconnect();
});

test('createExport › exports the volume’s size where its file is larger', async (t) => {
  const { exporter, directory, connect } = await makeFixture(t);
  await exporter.createExport(call(), exportRequest('exp-1', await makeFile(join(directory, 'v'), 2 * MiB), MiB));
  t.is((await connect('exp-1')).sizeBytes, MiB);
});

type Change = (request: ExportRequest<'file'>, fixture: Fixture) => Promise<ExportRequest<'file'>> | ExportRequest<'file'>;
const repeated = test.macro({
  async exec(t, change: Change, expected: string | null, access?: Access) {
    const fixture = await makeFixture(t);
    const request = await fixture.make('exp-1', MiB, access ?? 'read-write');
    const client = await fixture.connect('exp-1');
    const before = await fixture.exporter.listExports(call());
    const again = fixture.exporter.createExport(call(), await change(request, fixture));
    if (expected === null) t.deepEqual(await again, before[0]?.connection);
    else await t.throwsAsync(again, { code: expected });
    t.deepEqual(await fixture.exporter.listExports(call()), before, 'the export is as it was');
    t.is((await client.read(0, 512)).length, 512, 'its client is served');
  },
  title: (title) => `createExport repeated › ${title}`,
});
test('the same is answered as it is', repeated, (request) => request, null);
test('the same read-only one is answered as it is', repeated, (request) => request, null, 'read-only');
test(
  'another volume is ALREADY_EXISTS',
  repeated,
  (request) => ({ ...request, volume: { ...request.volume, id: 'vol-2' } }),
  'ALREADY_EXISTS',
);
test('another access mode is ALREADY_EXISTS', repeated, (request) => ({ ...request, access: 'read-only' }), 'ALREADY_EXISTS');
test(
  'another file is ALREADY_EXISTS',
  repeated,
  async (request, { directory }) => ({
    ...request,
    volume: { ...request.volume, locator: { kind: 'file', path: await makeFile(join(directory, 'other'), MiB) } },
  }),
  'ALREADY_EXISTS',
);
test('a smaller size never shrinks it', repeated, (request) => ({ ...request, volume: { ...request.volume, sizeBytes: KiB } }), null);
test(
  'a larger size than the file has is FAILED_PRECONDITION',
  repeated,
  (request) => ({ ...request, volume: { ...request.volume, sizeBytes: 2 * MiB } }),
  'FAILED_PRECONDITION',
);

test('createExport › raced with itself makes one export', async (t) => {
  const { exporter, directory } = await makeFixture(t);
  const request = exportRequest('exp-1', await makeFile(join(directory, 'v'), MiB), MiB);
  const answers = await Promise.all(Array.from({ length: 10 }, () => exporter.createExport(call(), request)));
  t.is(new Set(answers.map(({ uri }) => uri)).size, 1);
  t.is((await exporter.listExports(call())).length, 1);
});

const unreachable = test.macro({
  async exec(t, prepare: (directory: string) => Promise<string>, sizeBytes: number, expected: string) {
    const { exporter, directory } = await makeFixture(t);
    await t.throwsAsync(exporter.createExport(call(), exportRequest('exp-1', await prepare(directory), sizeBytes)), { code: expected });
    t.deepEqual(await exporter.listExports(call()), []);
  },
  title: (title) => `createExport › ${title}`,
});
test('a missing file is NOT_FOUND', unreachable, async (directory) => join(directory, 'none'), MiB, 'NOT_FOUND');
test(
  'a path through a file is NOT_FOUND',
  unreachable,
  async (directory) => join(await makeFile(join(directory, 'f'), 1), 'v'),
  MiB,
  'NOT_FOUND',
);
test(
  'a file smaller than its volume is FAILED_PRECONDITION',
  unreachable,
  (directory) => makeFile(join(directory, 'v'), KiB),
  MiB,
  'FAILED_PRECONDITION',
);
test('a folder is no volume', unreachable, (directory) => mkdtemp(join(directory, 'd-')), 0, 'UNAVAILABLE');
test('a device is no file', unreachable, async () => '/dev/null', 0, 'INVALID_ARGUMENT');

test('multi-attach › one volume has several exports, and what one writes the other reads', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  const { volume } = await make('exp-1', MiB);
  await exporter.createExport(call(), { ...exportRequest('exp-2', volume.locator.path, MiB, 'read-only'), volume });
  const [writer, reader] = [await connect('exp-1'), await connect('exp-2')];
  await writer.write(4096, pattern(1, 4096));
  t.true((await reader.read(4096, 4096)).equals(pattern(1, 4096)));
  await t.throwsAsync(reader.write(0, Buffer.alloc(1)), { code: 'PERMISSION_DENIED' });
});

test('32 exports on one port, 16 clients at once › each reads exactly what was written to its own', async (t) => {
  const fixture = await makeFixture(t);
  const ids = Array.from({ length: 32 }, (_, index) => `exp-${index}`);
  await Promise.all(ids.map((id) => fixture.make(id, MiB)));
  for (const half of [ids.slice(0, 16), ids.slice(16)]) {
    await Promise.all(
      half.map(async (id, index) => {
        const client = await fixture.connect(id);
        const seed = Number(id.slice(4));
        await Promise.all(
          [0, 1, 2, 3].map((part) => client.write(part * 256 * KiB, pattern(seed * 4 + part, 256 * KiB), { fua: index % 4 === 0 })),
        );
        await client.flush();
        for (const part of [3, 1, 0, 2])
          t.true((await client.read(part * 256 * KiB, 256 * KiB)).equals(pattern(seed * 4 + part, 256 * KiB)));
        await client.disconnect();
      }),
    );
  }
  t.deepEqual([...(await NbdClient.list({ host: '127.0.0.1', port: fixture.port }))].sort(), [...ids].sort());
  const hashes = await Promise.all(
    ids.map(async (id) =>
      createHash('sha256')
        .update(await readFile(join(fixture.directory, `${id}.raw`)))
        .digest('hex'),
    ),
  );
  t.is(new Set(hashes).size, 32);
});

test('16 clients on one export › write side by side, and a flush by one covers all', async (t) => {
  const fixture = await makeFixture(t);
  const { volume } = await fixture.make('exp-1', 16 * MiB);
  const clients = await Promise.all(Array.from({ length: 16 }, () => fixture.connect('exp-1')));
  await Promise.all(clients.map((client, index) => client.write(index * MiB, pattern(index, MiB))));
  await clients[3]?.flush();
  t.is(await sessionsOf(fixture.exporter, 'exp-1'), 16);
  const bytes = await readFile(volume.locator.path);
  for (let index = 0; index < 16; index += 1) t.true(bytes.subarray(index * MiB, (index + 1) * MiB).equals(pattern(index, MiB)));
});

test('deleteExport › refuses while somebody is connected, and names him', async (t) => {
  const fixture = await makeFixture(t);
  await fixture.make('exp-1', MiB);
  const client = await fixture.connect('exp-1');
  const error = await t.throwsAsync(fixture.exporter.deleteExport(call(), { exportId: 'exp-1' }), { code: 'FAILED_PRECONDITION' });
  t.true(isVbsError(error));
  t.regex(JSON.stringify((error as VbsError).context), /"sessions":\[\{"initiator":"127\.0\.0\.1:\d+"\}\]/);
  await client.write(0, pattern(1, 512));
  await client.disconnect();
  await fixture.exporter.deleteExport(call(), { exportId: 'exp-1' });
  await t.throwsAsync(fixture.connect('exp-1'), { code: 'NOT_FOUND' });
});

test('deleteExport › right after disconnect finds nobody, a hundred times', async (t) => {
  const fixture = await makeFixture(t);
  for (let turn = 0; turn < 100; turn += 1) {
    await fixture.make(`exp-${turn}`, 4096);
    const client = await fixture.connect(`exp-${turn}`);
    void client.write(0, pattern(turn, 4096));
    await client.disconnect();
    t.is(await sessionsOf(fixture.exporter, `exp-${turn}`), 0);
    await fixture.exporter.deleteExport(call(), { exportId: `exp-${turn}` });
  }
});

test('deleteExport › right after a client was killed succeeds', async (t) => {
  const fixture = await makeFixture(t);
  await fixture.make('exp-1', MiB);
  const client = await RawClient.enter(t, fixture.port, 'exp-1');
  client.socket.resetAndDestroy();
  await t.notThrowsAsync(fixture.exporter.deleteExport(call(), { exportId: 'exp-1' }));
});

test('deleteExport › of the absent is success, a repeat too, and the volume’s file stays', async (t) => {
  const { exporter, make } = await makeFixture(t);
  const { volume } = await make('exp-1', MiB);
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
  await exporter.deleteExport(call(), { exportId: 'exp-never' });
  t.is((await stat(volume.locator.path)).size, MiB);
});

test('deleteExport, revokeAccess › leave a busy neighbour untouched', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  for (const id of ['exp-1', 'exp-2', 'exp-3']) await make(id, 4 * MiB);
  const neighbour = await connect('exp-1');
  await connect('exp-3');
  let busy = true;
  let count = 0;
  const work = (async () => {
    for (; busy; count += 1) {
      await neighbour.write((count % 64) * 64 * KiB, pattern(count, 64 * KiB));
      t.true((await neighbour.read((count % 64) * 64 * KiB, 64 * KiB)).equals(pattern(count, 64 * KiB)));
    }
  })();
  await until(() => count > 5);
  await exporter.deleteExport(call(), { exportId: 'exp-2' });
  await exporter.revokeAccess(call(), { exportId: 'exp-3' });
  const then = count;
  await until(() => count > then + 5);
  busy = false;
  await work;
  t.is(neighbour.error, null);
});

test('ensureExports › makes again what is missing, leaves the others untouched, and names what it cannot', async (t) => {
  const { exporter, make, connect, directory } = await makeFixture(t);
  const kept = await make('exp-1', MiB);
  const client = await connect('exp-1');
  const missing = exportRequest('exp-2', await makeFile(join(directory, 'v2'), MiB), MiB);
  const lost = exportRequest('exp-3', join(directory, 'none'), MiB);
  const last = exportRequest('exp-4', await makeFile(join(directory, 'v4'), MiB), MiB);
  await t.throwsAsync(exporter.ensureExports(call(), { exports: [kept, missing, lost, last] }), { code: 'NOT_FOUND', message: /exp-3/ });
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId }) => exportId),
    ['exp-1', 'exp-2', 'exp-4'],
  );
  await exporter.ensureExports(call(), { exports: [kept, missing, last] });
  t.is((await client.read(0, 1)).length, 1);
  t.is((await connect('exp-2')).sizeBytes, MiB);
});

test('extendExport › newcomers see the new size, connected clients use it at once, and learn it when they ask', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  const { volume } = await make('exp-1', MiB);
  const client = await connect('exp-1');
  await t.throwsAsync(client.write(MiB, pattern(1, 4096)), { code: 'OUT_OF_RANGE' });
  const grown = { ...volume, sizeBytes: 3 * MiB };
  await t.throwsAsync(exporter.extendExport(call(), { exportId: 'exp-1', volume: grown }), { code: 'FAILED_PRECONDITION' });
  await truncate(volume.locator.path, 3 * MiB);
  t.deepEqual(await exporter.extendExport(call(), { exportId: 'exp-1', volume: grown }), { sizeBytes: 3 * MiB });
  await client.write(2 * MiB, pattern(1, MiB));
  t.true((await client.read(2 * MiB, MiB)).equals(pattern(1, MiB)));
  t.is(await client.refreshSize(), 3 * MiB);
  t.is(client.sizeBytes, 3 * MiB);
  t.is((await connect('exp-1')).sizeBytes, 3 * MiB);
  t.deepEqual(await exporter.extendExport(call(), { exportId: 'exp-1', volume }), { sizeBytes: 3 * MiB }, 'never shrinks');
  await t.throwsAsync(client.read(3 * MiB, 1), { code: 'OUT_OF_RANGE' });
});

test('extendExport › refuses an unknown export and another volume', async (t) => {
  const { exporter, make } = await makeFixture(t);
  const { volume } = await make('exp-1', MiB);
  await t.throwsAsync(exporter.extendExport(call(), { exportId: 'exp-2', volume }), { code: 'NOT_FOUND' });
  await t.throwsAsync(exporter.extendExport(call(), { exportId: 'exp-1', volume: { ...volume, id: 'vol-9' } }), {
    code: 'FAILED_PRECONDITION',
  });
});

test('listExports › tells size, access and who is connected', async (t) => {
  const { exporter, make, connect, port } = await makeFixture(t);
  await make('exp-1', MiB);
  await make('exp-2', 2 * MiB, 'read-only');
  await connect('exp-2');
  const [first, second] = await exporter.listExports(call());
  t.deepEqual(first, {
    exportId: 'exp-1',
    connection: { protocol: 'nbd', key: `nbd://127.0.0.1:${port}/exp-1`, uri: `nbd://127.0.0.1:${port}/exp-1` },
    sizeBytes: MiB,
    access: 'read-write',
    sessions: [],
  });
  t.deepEqual([second?.sizeBytes, second?.access, second?.sessions?.length], [2 * MiB, 'read-only', 1]);
});

test('close › answers what is in flight, syncs, drops the clients within 5 s, and frees the port', async (t) => {
  const fixture = await makeFixture(t);
  const { volume } = await fixture.make('exp-1', 4 * MiB);
  const clients = await Promise.all([0, 1, 2].map(() => fixture.connect('exp-1')));
  const slow = await RawClient.enter(t, fixture.port, 'exp-1');
  slow.socket.pause();
  await clients[0]?.write(0, pattern(1, MiB));
  const started = Date.now();
  await fixture.exporter.close?.();
  t.true(Date.now() - started < 5_500);
  await Promise.all(clients.map((client) => client.closed));
  t.true((await readFile(volume.locator.path)).subarray(0, MiB).equals(pattern(1, MiB)));
  await t.throwsAsync(fixture.exporter.listExports(call()), { code: 'UNAVAILABLE' });
  await t.throwsAsync(fixture.make('exp-2', MiB), { code: 'UNAVAILABLE' });
  const next = await openExporter(instance({ port: fixture.port }), call());
  await next.close?.();
  await fixture.exporter.close?.();
});

test('close › with a client that does not take its replies ends within 5 s', async (t) => {
  const fixture = await makeFixture(t);
  await fixture.make('exp-1', 64 * MiB);
  const slow = await RawClient.enter(t, fixture.port, 'exp-1');
  slow.socket.pause();
  for (let index = 0; index < 10; index += 1) slow.request(0, 0, 32 * MiB);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const started = Date.now();
  await fixture.exporter.close?.();
  t.true(Date.now() - started < 5_000);
});

test('check › is silent while all is well, and names a file that was removed or replaced', async (t) => {
  const { exporter, make, directory } = await makeFixture(t);
  const one = await make('exp-1', MiB);
  const two = await make('exp-2', MiB);
  t.deepEqual(await exporter.check?.(call()), []);
  await rm(one.volume.locator.path);
  await rename(await makeFile(join(directory, 'x'), MiB), two.volume.locator.path);
  const faults = (await exporter.check?.(call())) ?? [];
  t.is(faults.length, 2);
  t.regex(faults.join('\n'), /exp-1 .*\n.*exp-2 /);
});

test('a call that was cancelled before it began › changes nothing', async (t) => {
  const { exporter, make, connect } = await makeFixture(t);
  const request = await make('exp-1', MiB);
  await connect('exp-1');
  const reason = new VbsError('DEADLINE_EXCEEDED', 'too late');
  await t.throwsAsync(exporter.revokeAccess(call(AbortSignal.abort(reason)), { exportId: 'exp-1' }), { is: reason });
  await t.throwsAsync(exporter.createExport(call(AbortSignal.abort()), { ...request, exportId: 'exp-2' }), { code: 'ABORTED' });
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId, sessions }) => [exportId, sessions?.length]),
    [['exp-1', 1]],
  );
});
