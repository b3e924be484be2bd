import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { NbdClient } from '@vbs/plugin-nbd/client';
import { hasTls, listenFaults, listenSettings, reachOf } from '@vbs/plugin-nbd/internal/listen-policy.js';
import test from 'ava';
import { startChild } from '../../support/child.js';
import { MiB, pattern } from './nbd-fixture.js';
import { makeDirectory, makeServer } from './server-fixture.js';

test('a Unix socket › carries reads and writes, only its owner may connect, and its URI says where it is', async (t) => {
  const directory = await makeDirectory(t);
  const socket = join(directory, 'a b', 's');
  await mkdir(join(directory, 'a b'));
  const { serve, uri } = await makeServer(t, { socket });
  await serve('exp-1', 2 * MiB);
  t.is((await stat(socket)).mode & 0o777, 0o600);
  t.is(uri('exp-1'), `nbd+unix:///exp-1?socket=${socket.replace(' ', '%20')}`);
  const client = await NbdClient.connect({ uri: uri('exp-1') });
  await client.write(1, pattern(1, MiB));
  t.true((await client.read(1, MiB)).equals(pattern(1, MiB)));
  t.deepEqual(await NbdClient.list({ socket }), ['exp-1']);
  t.is((await NbdClient.info({ socket, exportName: 'exp-1' })).sizeBytes, 2 * MiB);
  await client.disconnect();
});

test('a Unix socket › is gone with its server, and the path is free for the next', async (t) => {
  const directory = await makeDirectory(t);
  const socket = join(directory, 's');
  const first = await makeServer(t, { socket });
  await t.throwsAsync(makeServer(t, { socket }), { code: 'RESOURCE_EXHAUSTED', message: /in use.*"socket"/ });
  await first.server.close(100);
  t.deepEqual(await readdir(directory), ['s.lock']);
  const second = await makeServer(t, { socket });
  await second.serve('exp-1', MiB);
  t.deepEqual(await NbdClient.list({ socket }), ['exp-1']);
});

test('a Unix socket › of a dead process is replaced', async (t) => {
  const directory = await makeDirectory(t);
  const socket = join(directory, 's');
  const program = join(directory, 'listen.mjs');
  await writeFile(program, `import net from 'node:net'; net.createServer().listen(${JSON.stringify(socket)}, () => console.log('{}'));`);
  const child = startChild(t, new URL(`file://${program}`));
  await child.said();
  await t.throwsAsync(makeServer(t, { socket }), { code: 'RESOURCE_EXHAUSTED' }, 'a living one is not');
  child.process.kill('SIGKILL');
  await child.ended();
  t.true((await stat(socket)).isSocket());
  const { serve } = await makeServer(t, { socket });
  await serve('exp-1', MiB);
  t.deepEqual(await NbdClient.list({ socket }), ['exp-1']);
});

test('a Unix socket › is not put over another server’s, nor over a file', async (t) => {
  const directory = await makeDirectory(t);
  const taken = join(directory, 'taken');
  const other = createServer((socket) => socket.on('error', () => undefined).end('hello'));
  await new Promise<void>((resolve) => other.listen(taken, resolve));
  t.teardown(() => other.close());
  await t.throwsAsync(makeServer(t, { socket: taken }), { code: 'RESOURCE_EXHAUSTED' });
  const file = join(directory, 'file');
  await writeFile(file, 'precious');
  await t.throwsAsync(makeServer(t, { socket: file }), { code: 'RESOURCE_EXHAUSTED', message: /no socket/ });
  t.is((await stat(file)).size, 8);
  await t.throwsAsync(makeServer(t, { socket: join(directory, 'missing', 's') }), { code: 'UNAVAILABLE', message: /"socket"/ });
  await chmod(directory, 0o700);
});

test('two servers for one Unix socket at once › one has it, the other is refused', async (t) => {
  const socket = join(await makeDirectory(t), 's');
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => makeServer(t, { socket })));
  t.is(results.filter(({ status }) => status === 'fulfilled').length, 1);
  t.deepEqual(await NbdClient.list({ socket }), []);
});

const tls = { certificate: 'server.pem', key: 'server.key' };
const policy = test.macro({
  exec(t, config: Parameters<typeof listenSettings>[0], fault: string | null, reach: 'loopback' | 'network', secure?: boolean) {
    const settings = listenSettings(config, '/etc/vbs');
    t.is(listenFaults(settings)[0]?.field ?? null, fault);
    t.is(reachOf(settings), reach);
    t.is(hasTls(settings), secure ?? false);
  },
  title: (_, config, fault, reach) =>
    `the listen policy › ${JSON.stringify(config)}: ${reach}, ${fault === null ? 'legal' : `fault in ${fault}`}`,
});
test(policy, {}, null, 'loopback');
test(policy, { host: '::1' }, null, 'loopback');
test(policy, { host: '10.0.0.5' }, 'host', 'network');
test(policy, { host: '10.0.0.5', tls }, 'host', 'network');
test(policy, { host: '10.0.0.5', tls: { ...tls, clientAuthority: 'ca.pem' } }, null, 'network', true);
test(policy, { host: '10.0.0.5', tls: { ...tls, clientAuthority: 'ca.pem', mode: 'allowed' } }, 'host', 'network');
test(policy, { host: '0.0.0.0', tls: { ...tls, clientAuthority: 'ca.pem' } }, 'host', 'network', true);
test(policy, { host: '10.0.0.5', socket: 'nbd.sock' }, null, 'loopback');
test(policy, { socket: `/${'x'.repeat(96)}` }, 'socket', 'loopback');

test('listenSettings › paths start from the configuration’s folder', (t) => {
  const settings = listenSettings({ socket: 'run/s', tls: { ...tls, clientAuthority: '/ca.pem', mode: 'allowed' } }, '/etc/vbs');
  t.is(settings.socket, '/etc/vbs/run/s');
  t.deepEqual(settings.tls, {
    certificate: '/etc/vbs/server.pem',
    key: '/etc/vbs/server.key',
    clientAuthority: '/ca.pem',
    mode: 'allowed',
  });
});
