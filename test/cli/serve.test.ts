import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { embedded, newFolder, type Served, served, startServer, startVbs, vbs } from './vbs.js';

async function kill({ server }: Served, signal: NodeJS.Signals) {
  server.process.kill(signal);
  return server.ended();
}

test.serial('vbs serve › tells one line when it is ready; its URL, docs and socket answer; SIGTERM ends it in order', async (t) => {
  const store = await served(t);
  const [, url = '', docs = '', socket = ''] = /vbs serves (\S+) \(docs (\S+), socket (\S+)\)\n$/.exec(store.server.out()) ?? [];
  t.is(url, store.url);
  t.is((await fetch(`${url}/healthz`)).status, 200);
  t.is((await fetch(docs)).status, 200);
  t.is((await stat(socket)).mode & 0o777, 0o600);
  t.is(await readFile(join(store.folder, 'vbs.lock'), 'utf8'), `the server with pid ${store.server.process.pid} at ${url}\n`);
  const { code, signal, out } = await kill(store, 'SIGTERM');
  t.deepEqual([code, signal], [0, null]);
  t.is(out.split('\n').length, 2);
  t.false(existsSync(socket));
});

test.serial('vbs serve › with --output json tells url, docs, socket and pid', async (t) => {
  const { environment } = await embedded(t);
  const server = startVbs(t, ['serve', '--port', '0', '--output', 'json', '--log-level', 'error'], { environment });
  const [line] = await server.printed(/^\{.*\}\n/);
  const told = JSON.parse(line) as Record<string, unknown>;
  t.is(told.pid, server.process.pid);
  t.is(told.docs, `${told.url}/docs`);
  server.process.kill('SIGINT');
  t.is((await server.ended()).code, 0);
});

test.serial('vbs serve › a second one on the same data directory is refused and names the first, which goes on', async (t) => {
  const store = await served(t);
  const { code, err } = await store.try('serve', '--port', '0');
  t.is(code, 1);
  t.true(err.startsWith('vbs: FAILED_PRECONDITION: '), err);
  t.true(err.includes(`the server with pid ${store.server.process.pid} at ${store.url}`), err);
  t.is((await store.try('pools')).code, 0);
});

test.serial(
  'vbs serve › killed with SIGKILL, it leaves a stale socket; commands open the store themselves, and it starts again',
  async (t) => {
    const first = await served(t);
    const volumeId = (await first.run('create-volume', '1MiB', '--quiet')).trim();
    await first.run('attach-volume', volumeId, 'sandbox', 'vm1', 'xvdb');
    await kill(first, 'SIGKILL');
    t.true(existsSync(join(first.folder, 'vbs.sock')));

    const { err } = await first.try('describe-volumes', '--verbose');
    t.regex(err, /opened by this command/);
    const second = await startServer(t, first);
    t.not(second.server.process.pid, first.server.process.pid);
    t.regex((await second.try('describe-volumes', '--verbose')).err, /using unix:/);
    t.regex(await second.run('describe-attachments', '--state', 'attached'), /vm1 +xvdb/);
    await second.run('detach-volume', volumeId);
  },
);

test.serial('vbs serve › waits for a command that has the store open, and starts when it has ended', async (t) => {
  const store = await embedded(t);
  await store.run('create-volume', '1MiB');
  // A command that follows events holds the store open until it is ended.
  const follower = startVbs(t, ['events', '--after', '0'], { environment: store.environment });
  await follower.printed(/volume\.available/);
  const server = startVbs(t, ['serve', '--port', '0', '--log-level', 'error'], { environment: store.environment });
  follower.process.kill('SIGTERM');
  t.is((await follower.ended()).code, 143);
  await server.printed(/vbs serves /);
  server.process.kill('SIGTERM');
  t.is((await server.ended()).code, 0);
});

test.serial('vbs serve › a fault of the configuration, a bad port, a port in use: exit status 1 or 2, in words', async (t) => {
  const store = await served(t);
  const other = await embedded(t);
  const port = new URL(store.url).port;
  const used = await other.try('serve', '--port', port);
  t.is(used.code, 1);
  t.regex(used.err, /^vbs: [A-Z_]+: .*port/m);
  t.notRegex(used.err, /\n\s+at /);
  t.is((await other.try('serve', '--port', '70000')).code, 2);
  t.is((await vbs(t, ['serve', '--endpoint', 'http://127.0.0.1:1'])).code, 2);
  const missing = await vbs(t, ['serve', '--config', join(await newFolder(t), 'no.yaml')]);
  t.is(missing.code, 1);
  t.regex(missing.err, /^vbs: CONFIG_INVALID: /);
});

async function listening(t: ExecutionContext, server: ReturnType<typeof createSocketServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

test.serial('--endpoint › nothing there, no such socket, no HTTP, no VBS: UNAVAILABLE, says so, exit status 1', async (t) => {
  const noHttp = await listening(
    t,
    createSocketServer((socket) => socket.end('SSH-2.0-x\r\n')),
  );
  const noVbs = await listening(
    t,
    createServer((_, response) => response.end('<html>')),
  );
  const noProblem = await listening(
    t,
    createServer((_, response) => response.writeHead(404).end('gone')),
  );
  const table = [
    ['http://127.0.0.1:1', /is not there: start it with `vbs serve`/],
    [`unix:${await newFolder(t)}/no.sock`, /no such socket/],
    [noHttp, /does not speak HTTP|no VBS server|does not answer/],
    [noVbs, /answered no JSON: this is no VBS server/],
    [noProblem, /answered 404 without a problem document/],
  ] as const;
  for (const [endpoint, told] of table) {
    const { code, out, err } = await vbs(t, ['describe-volumes', '--endpoint', endpoint]);
    t.is(code, 1, endpoint);
    t.is(out, '');
    t.regex(err, /^vbs: UNAVAILABLE: the server /);
    t.regex(err, told);
  }
});

test.serial('--endpoint and VBS_ENDPOINT › reach a server over TCP and by its socket; an option wins', async (t) => {
  const store = await served(t);
  const id = await store.run('create-volume', '1MiB', '--quiet');
  const socket = `unix:${join(store.folder, 'vbs.sock')}`;
  for (const endpoint of [store.url, `${store.url}/`, socket])
    t.is((await vbs(t, ['describe-volumes', '--quiet', '--endpoint', endpoint])).out, id, endpoint);
  t.is((await vbs(t, ['describe-volumes', '--quiet'], { environment: { VBS_ENDPOINT: socket } })).out, id);
  const environment = { VBS_ENDPOINT: 'http://127.0.0.1:1' };
  t.is((await vbs(t, ['describe-volumes', '--quiet', '--data-dir', store.folder], { environment })).out, id);
});
