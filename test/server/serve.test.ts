import { lstat, stat, writeFile } from 'node:fs/promises';
import { createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { defaultConfiguration, type Logger } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import { serve } from '@vbs/server';
import test from 'ava';
import { startChild } from '../support/child.js';
import { intercepting } from '../support/intercept.js';
import { configurationOf, gate, MiB, newDirectory, refusal, silent, until } from '../support/store.js';
import { checking, newService, over } from './fixture.js';

const child = new URL('./serving-child.js', import.meta.url);

test('serve › the embedded default: create, attach, detach, snapshot and delete, on TCP and on the socket', async (t) => {
  const { call, socket } = await newService(t);
  const { body: volume } = await call('POST', '/v1/volumes', { body: { size: '4MiB' } });
  t.is(volume.state, 'available');
  const attached = await call('POST', `/v1/volumes/${volume.id}/attachments`, {
    body: { vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdb' },
  });
  t.is(attached.body.state, 'attached');
  t.is((await call('POST', `/v1/volumes/${volume.id}/detach`)).body.state, 'detached');
  const snapshot = await call('POST', '/v1/snapshots', { body: { volumeId: volume.id } });
  t.is(snapshot.body.state, 'completed');
  t.is((await call('DELETE', `/v1/snapshots/${snapshot.body.id}`)).status, 204);
  const shown = await over({ socketPath: socket ?? '' }, 'GET', `/v1/volumes/${volume.id}`, { host: 'anything' });
  t.is(JSON.parse(shown.text).id, volume.id);
  t.is((await call('DELETE', `/v1/volumes/${volume.id}`)).status, 204);
  t.is((await call('GET', '/readyz')).status, 200);
});

test('serve › the socket is of its user alone, lies in the state directory, and goes with the server', async (t) => {
  const { socket, directory, close } = await newService(t);
  t.is(socket, join(directory, 'vbs.sock'));
  const found = await stat(join(directory, 'vbs.sock'));
  t.true(found.isSocket());
  t.is(found.mode & 0o777, 0o600);
  await close();
  await t.throwsAsync(lstat(join(directory, 'vbs.sock')), { code: 'ENOENT' });
});

test('serve › a second server of the same data is refused by the name of the socket, and the first goes on', async (t) => {
  const { call, directory, socket } = await newService(t);
  const second = serve({ configuration: defaultConfiguration({ dataDirectory: directory, port: 0 }), log: silent });
  const error = await refusal(t, second, 'FAILED_PRECONDITION');
  t.true(error.message.includes(String(socket)));
  t.is((await call('GET', '/readyz')).status, 200);
});

test('serve › the socket of a process that was killed is replaced', async (t) => {
  const directory = await newDirectory(t);
  const killed = startChild(t, child, directory);
  await killed.said();
  killed.process.kill('SIGKILL');
  await killed.ended();
  t.true((await lstat(join(directory, 'vbs.sock'))).isSocket());
  const { socket, call } = await newService(t, {}, directory);
  t.is((await call('GET', '/v1/volumes')).status, 200);
  t.is((await over({ socketPath: String(socket) }, 'GET', '/healthz')).status, 200);
});

test('serve › what lies at the socket and is none, or is of another program, stays there', async (t) => {
  const directory = await newDirectory(t);
  const configuration = defaultConfiguration({ dataDirectory: directory, port: 0 });
  const path = join(directory, 'mine');
  await writeFile(path, 'mine');
  await refusal(t, serve({ configuration, socket: path, log: silent }), 'FAILED_PRECONDITION');
  t.true((await lstat(path)).isFile());
  const others = createNetServer();
  await new Promise<void>((resolve) => others.listen(join(directory, 'theirs'), resolve));
  t.teardown(() => others.close());
  await refusal(t, serve({ configuration, socket: join(directory, 'theirs'), log: silent }), 'FAILED_PRECONDITION');
  await refusal(t, serve({ configuration, socket: join(directory, 'x'.repeat(120)), log: silent }), 'INVALID_ARGUMENT');
});

test('serve › a port in use is refused, and leaves nothing behind', async (t) => {
  const { port, directory } = await newService(t, { socket: null });
  const other = await newDirectory(t);
  const configuration = defaultConfiguration({ dataDirectory: other, port: 0 });
  const error = await refusal(t, serve({ configuration, port, log: silent }), 'RESOURCE_EXHAUSTED');
  t.is(error.context.field, 'port');
  await t.throwsAsync(lstat(join(other, 'vbs.sock')), { code: 'ENOENT' });
  await t.throwsAsync(lstat(join(directory, 'vbs.sock')), { code: 'ENOENT' });
  const running = await serve({ configuration, log: silent });
  await running.close();
});

test('serve › beyond loopback only when told, and the log says that nobody is asked who he is', async (t) => {
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (_fields, message) => warnings.push(message) };
  const { port } = await newService(t, { host: '0.0.0.0', log, socket: null });
  t.true(warnings.some((message) => /without authentication/.test(message)));
  t.is((await over({ host: '127.0.0.1', port }, 'GET', '/healthz', { host: `10.1.2.3:${port}` })).status, 200);
  t.is((await over({ host: '127.0.0.1', port }, 'GET', '/healthz', { host: 'attacker.example' })).status, 403);
});

test('serve › only the operator, by the socket, is told of files of the machine', async (t) => {
  const directory = await newDirectory(t);
  const plugins = [file, nbd, createSandbox().plugin].map(checking(async () => ['/srv/pool is not there: mount it']));
  const configuration = configurationOf(directory, plugins) as ReturnType<typeof defaultConfiguration>;
  const { socket, call } = await newService(t, { configuration }, directory);
  const faultsOf = (body: { items: { faults: string[] }[] }) => body.items.flatMap(({ faults }) => faults);
  t.deepEqual(faultsOf((await call('GET', '/v1/checks')).body), ['(path) is not there: mount it']);
  const local = await over({ socketPath: String(socket) }, 'GET', '/v1/checks');
  t.deepEqual(faultsOf(JSON.parse(local.text)), ['/srv/pool is not there: mount it']);
});

test('safety E5 › passwords are told to the operator alone, by the socket', async (t) => {
  const { socket, call } = await newService(t);
  const { body: volume } = await call('POST', '/v1/volumes', { body: { size: MiB } });
  const { body: attachment } = await call('POST', `/v1/volumes/${volume.id}/attachments`, {
    body: { vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdb' },
  });
  const path = `/v1/attachments/${attachment.id}/credentials`;
  t.like((await call('POST', path)).body, { status: 403, code: 'PERMISSION_DENIED' });
  // NBD asks for no password.
  t.like(JSON.parse((await over({ socketPath: String(socket) }, 'POST', path)).text), { status: 501, code: 'UNSUPPORTED' });
});

test('serve › close answers what is in flight, ends streams, and takes nothing new', async (t) => {
  const held = gate();
  const begun = gate();
  const directory = await newDirectory(t);
  const plugins = [file, nbd, createSandbox().plugin].map((plugin) =>
    intercepting(plugin, async ({ method, go }) => {
      if (method === 'createVolume') {
        begun.open();
        await held.opened;
      }
      return go();
    }),
  );
  const configuration = configurationOf(directory, plugins) as ReturnType<typeof defaultConfiguration>;
  const { call, close, port } = await newService(t, { configuration }, directory);
  t.teardown(() => held.open());
  const waiting = call('POST', '/v1/volumes', { body: { size: MiB } });
  const stream = over({ host: '127.0.0.1', port }, 'GET', '/v1/events');
  await begun.opened;
  const closed = close();
  const answer = await waiting;
  t.is(answer.status, 202);
  t.is(answer.headers.connection, 'close');
  t.is((await stream).status, 200);
  held.open();
  await closed;
  await t.throwsAsync(over({ host: '127.0.0.1', port }, 'GET', '/healthz'), { code: 'ECONNREFUSED' });
});

test('serve › SIGTERM is left to the process: it has no handlers of the server', async (t) => {
  const before = process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
  await newService(t);
  t.is(process.listenerCount('SIGTERM') + process.listenerCount('SIGINT'), before);
});

test('serve › what was begun and not ended goes on at the next start', async (t) => {
  const directory = await newDirectory(t);
  const first = await newService(t, {}, directory);
  const { body } = await first.call('POST', '/v1/volumes', { body: { size: MiB }, headers: { prefer: 'respond-async' } });
  await first.close();
  const second = await newService(t, {}, directory);
  await until('it ended', async () => (await second.call('GET', `/v1/operations/${body.id}`)).body.state === 'succeeded');
  t.pass();
});
