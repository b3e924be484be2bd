import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test from 'ava';
import { startChild } from '../../support/child.js';
import { makeCertificates } from './certificates.js';
import { controlOf, greetingOf, kill, makeDaemonFixture } from './daemon-fixture.js';
import { call, KiB, MiB, pattern, until } from './nbd-fixture.js';

const child = new URL('daemon-child.js', import.meta.url);
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const hasNbdinfo = spawnSync('nbdinfo', ['--version']).status === 0;

test.beforeEach((t) => t.timeout(60_000));

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test.serial(
    `safety F1 › VBS ended by ${signal} while a client writes: the server serves on, and the next VBS finds the export`,
    async (t) => {
      const { directory, open, connect, request, greeting } = await makeDaemonFixture(t);
      const { volume } = await request('exp-1', 4 * MiB);
      const vbs = startChild(t, child, directory, 'exp-1', volume.locator.path, String(volume.sizeBytes));
      const { connection } = (await vbs.said()) as { connection: { uri: string } };
      const { pid } = await greeting();

      const client = await connect(connection.uri);
      const expected = Buffer.alloc(4 * MiB);
      let blocks = 0;
      let stop = false;
      const writing = (async () => {
        for (; !stop; blocks += 1) {
          const piece = pattern(blocks, 64 * KiB);
          const at = (blocks % 64) * 64 * KiB;
          await client.write(at, piece);
          piece.copy(expected, at);
        }
      })();
      await until(() => blocks > 10);
      vbs.process.kill(signal);
      await vbs.ended();
      const before = blocks;
      await until(() => blocks > before + 10);
      stop = true;
      await writing;
      await client.flush();
      t.true(expected.equals(await client.read(0, 4 * MiB)));

      const next = await open();
      t.is((await greeting()).pid, pid, 'the same process serves');
      const [listed] = await next.contract.listExports(call());
      t.is(listed?.connection.key, connection.uri);
      t.is(listed?.sessions?.length, 1);
      const refused = await t.throwsAsync(next.contract.deleteExport(call(), { exportId: 'exp-1' }), { code: 'FAILED_PRECONDITION' });
      t.regex(refused.message, /1 client\(s\) are connected/);
      await client.disconnect();
      await next.contract.deleteExport(call(), { exportId: 'exp-1' });
      t.deepEqual(await next.contract.listExports(call()), []);
      t.true(expected.equals(await readFile(volume.locator.path)));
    },
  );
}

test.serial(
  'safety F1 › a server that was killed is started again by the next call, and brings its exports back under their URIs',
  async (t) => {
    const { open, connect, request, greeting } = await makeDaemonFixture(t);
    const exporter = await open();
    const exports = [await request('exp-1', MiB), await request('exp-2', MiB, 'read-only')];
    const uris: string[] = [];
    for (const one of exports) uris.push((await exporter.contract.createExport(call(), one)).key);
    const client = await connect(uris[0] ?? '');
    await client.write(4096, pattern(7, 4096), { fua: true });

    const { pid } = await greeting();
    await kill(pid);
    await client.closed;
    t.regex((await exporter.check(call())).join(), /does not run/);
    await exporter.contract.ensureExports(call(), { exports });
    t.not((await greeting()).pid, pid);
    const listed = await exporter.contract.listExports(call());
    t.deepEqual(listed.map(({ connection }) => connection.key).sort(), [...uris].sort());
    const again = await connect(uris[0] ?? '');
    t.true(pattern(7, 4096).equals(await again.read(4096, 4096)));
    t.true((await connect(uris[1] ?? '')).readOnly);
    t.deepEqual(await exporter.check(call()), []);
  },
);

test.serial('open › of three processes at once starts one server', async (t) => {
  const { directory, greeting } = await makeDaemonFixture(t);
  const all = [startChild(t, child, directory), startChild(t, child, directory), startChild(t, child, directory)];
  for (const one of all) t.like(await one.said(), { opened: true });
  const { pid } = await greeting();
  const found = spawnSync('pgrep', ['-f', `serve --config ${directory}`], { encoding: 'utf8' });
  t.deepEqual(found.stdout.trim().split('\n'), [String(pid)]);
});

test.serial('open › after a crash that left socket and record starts a server in place of the dead one', async (t) => {
  const { directory, control, open, greeting } = await makeDaemonFixture(t);
  await (await open()).close();
  const { pid } = await greeting();
  await kill(pid);
  t.true((await lstat(control)).isSocket());
  t.true((await readdir(join(directory, 'processes'))).some((name) => name.endsWith('.json')));
  t.is(await greetingOf(control), null, 'nobody listens on what is left');
  await open();
  t.not((await greeting()).pid, pid);
});

test.serial('open › refuses a file in place of the control socket, and leaves it there', async (t) => {
  const { control, open } = await makeDaemonFixture(t);
  await (await open({ name: 'vs1/other' })).close();
  await writeFile(control, 'precious');
  await t.throwsAsync(open(), { code: 'FAILED_PRECONDITION', message: /is no socket/ });
  t.is(await readFile(control, 'utf8'), 'precious');
});

test.serial('safety D1 › the server of another store is not taken for this one', async (t) => {
  const { open, request, greeting, directory } = await makeDaemonFixture(t);
  const exporter = await open();
  await exporter.contract.createExport(call(), await request('exp-1', MiB));
  const { pid } = await greeting();
  const refused = await t.throwsAsync(open({ store: 'f'.repeat(32) }), { code: 'FAILED_PRECONDITION' });
  t.regex(refused.message, /serves another store, 0123456789abcdef0123456789abcdef/);

  // It takes the socket's place only once the first one is gone.
  await kill(pid);
  const other = await open({ store: 'f'.repeat(32) });
  t.deepEqual(await other.contract.listExports(call()), []);
  for (const act of [
    () => exporter.contract.listExports(call()),
    () => exporter.contract.deleteExport(call(), { exportId: 'exp-1' }),
    () => exporter.contract.revokeAccess(call(), { exportId: 'exp-1' }),
  ])
    await t.throwsAsync(act, { code: 'UNAVAILABLE', message: /serves another store/ });
  t.regex((await exporter.check(call())).join(), /serves another store/);
  t.is((await greetingOf(controlOf(directory)))?.exports, 0);
});

test.serial('close › of an exporter with a server of its own only lets go', async (t) => {
  const { open, connect, request, greeting } = await makeDaemonFixture(t);
  const exporter = await open();
  const { uri } = (await exporter.contract.createExport(call(), await request('exp-1', MiB))) as { uri: string };
  const client = await connect(uri);
  await exporter.close();
  await client.write(0, Buffer.alloc(512, 1), { fua: true });
  t.is((await greeting()).sessions, 1);
  await t.throwsAsync(exporter.contract.listExports(call()), { code: 'UNAVAILABLE', message: /is closed/ });
});

const withNbdinfo = hasNbdinfo ? test.serial : test.skip;
withNbdinfo(`nbdinfo › sees an export of a server of its own${hasNbdinfo ? '' : ' (skipped: nbdinfo is not installed)'}`, async (t) => {
  const { open, request } = await makeDaemonFixture(t);
  const exporter = await open();
  const { uri } = (await exporter.contract.createExport(call(), await request('exp-1', MiB))) as { uri: string };
  const told = spawnSync('nbdinfo', ['--json', uri], { encoding: 'utf8', timeout: 10_000 });
  t.is(told.status, 0, told.stderr);
  const { exports } = JSON.parse(told.stdout) as { exports: readonly Record<string, unknown>[] };
  t.like(exports[0], { 'export-name': 'exp-1', 'export-size': MiB });
});

test.serial('open › of a server with a Unix socket, that was killed, brings the exports back under their URI', async (t) => {
  const { directory, open, request, greeting } = await makeDaemonFixture(t);
  const exporter = await open({ config: { socket: 'nbd.sock' } });
  const exports = [await request('exp-1', MiB)];
  const { key } = await exporter.contract.createExport(call(), exports[0] as never);
  t.is(key, `nbd+unix:///exp-1?socket=${directory}/nbd.sock`);
  await kill((await greeting()).pid);
  await exporter.contract.ensureExports(call(), { exports });
  t.is((await exporter.contract.listExports(call()))[0]?.connection.key, key);
  const socket = connectSocket(join(directory, 'nbd.sock'));
  t.teardown(() => socket.destroy());
  const [greeted] = (await once(socket, 'data')) as [Buffer];
  t.is(greeted.subarray(0, 8).toString(), 'NBDMAGIC');
});

const withTls = hasOpenssl ? test.serial : test.skip;
withTls(
  `open › of a server with TLS lets in only whom its authority signed${hasOpenssl ? '' : ' (skipped: openssl is not installed)'}`,
  async (t) => {
    const { open, request } = await makeDaemonFixture(t);
    const { server, authority, client, stranger, tls } = await makeCertificates(t);
    const exporter = await open({ config: { tls: { ...server, clientAuthority: authority } } });
    t.true(exporter.capabilities.has('tls'));
    const { key: uri } = await exporter.contract.createExport(call(), await request('exp-1', MiB));
    t.regex(uri, /^nbds:/);
    const connected = await NbdClient.connect({ uri, tls: tls(client) });
    t.teardown(() => connected.disconnect());
    await connected.write(0, pattern(3, 4096), { fua: true });
    t.true(pattern(3, 4096).equals(await connected.read(0, 4096)));
    await t.throwsAsync(NbdClient.connect({ uri, tls: tls(stranger) }));
    t.is((await exporter.contract.listExports(call()))[0]?.sessions?.length, 1);
  },
);
