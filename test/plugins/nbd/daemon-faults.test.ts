import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createLocalMachine, openInstance } from '@vbs/core';
import nbdPlugin from '@vbs/plugin-nbd';
import { ControlConnection } from '@vbs/plugin-nbd/internal/daemon/control-connection.js';
import { daemonLog } from '@vbs/plugin-nbd/internal/daemon/daemon-log.js';
import test, { type ExecutionContext } from 'ava';
import { greetingOf, isAlive, kill, makeDaemonFixture, openOwn } from './daemon-fixture.js';
import { call, KiB, type LogLine, MiB, pattern, recordingLog, until } from './nbd-fixture.js';

const program = fileURLToPath(import.meta.resolve('@vbs/plugin-nbd/bin/vbs-nbd-server.js'));

/** Serves as an operator's service would: VBS finds it, and starts none. */
function serveByHand(t: ExecutionContext, control: string): ChildProcess & { readonly stderr: Readable } {
  const config = control.replace(/\.sock$/, '.json');
  const server = spawn(process.execPath, [program, 'serve', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => server.kill('SIGKILL'));
  return server;
}

/** A connection to a server that runs. */
async function greeted(control: string): Promise<ControlConnection> {
  const connection = await ControlConnection.open(control, AbortSignal.timeout(5_000));
  if (connection === null) throw new Error(`nobody listens on ${control}`);
  return connection;
}

/** Runs the program to its end. */
async function run(...args: readonly string[]): Promise<{ readonly code: number | null; readonly out: string; readonly errors: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
  const [out, errors] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray());
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out: ((await out) ?? []).join(''), errors: ((await errors) ?? []).join('') };
}

test.beforeEach((t) => t.timeout(60_000));

test.serial('safety D1 › a server that hangs is UNAVAILABLE, never absence, and does nothing of it afterwards', async (t) => {
  const { open, request, greeting } = await makeDaemonFixture(t);
  const exporter = await open();
  const [one, two] = [await request('exp-1', MiB), await request('exp-2', MiB)];
  await exporter.contract.createExport(call(), one);
  const { pid } = await greeting();
  process.kill(pid, 'SIGSTOP');
  const ended = await Promise.allSettled([
    exporter.contract.createExport(call(), two),
    exporter.contract.deleteExport(call(), { exportId: 'exp-1' }),
    exporter.contract.revokeAccess(call(), { exportId: 'exp-1' }),
    exporter.contract.listExports(call()),
    exporter.contract.ensureExports(call(), { exports: [two] }),
  ]);
  for (const one of ended) t.like(one, { status: 'rejected', reason: { code: 'UNAVAILABLE' } });
  t.regex((await exporter.check(call())).join(), /did not greet within/);
  process.kill(pid, 'SIGCONT');
  const listed = await exporter.contract.listExports(call());
  t.deepEqual(
    listed.map(({ exportId }) => exportId),
    ['exp-1'],
  );
  t.is((await greeting()).pid, pid, 'nobody started a second one');
});

test.serial('safety B2 › a call that was given up while the server was stopped is not done when it goes on', async (t) => {
  const { open, request, greeting, control } = await makeDaemonFixture(t);
  const exporter = await open();
  const { pid } = await greeting();
  const connection = await greeted(control);
  process.kill(pid, 'SIGSTOP');
  const giveUp = new AbortController();
  const asked = connection.ask(call(giveUp.signal), 'create', await request('exp-1', MiB));
  giveUp.abort(new Error('the test gave up'));
  await t.throwsAsync(asked, { code: 'DEADLINE_EXCEEDED', message: /did not say whether/ });
  process.kill(pid, 'SIGCONT');
  t.deepEqual(await exporter.contract.listExports(call()), []);
});

test.serial('safety B1 › a call that the server hears only after it was overtaken is refused by the guard', async (t) => {
  const { open, request, greeting, control, directory } = await makeDaemonFixture(t);
  const exporter = await open();
  const { pid } = await greeting();
  const connection = await greeted(control);
  process.kill(pid, 'SIGSTOP');
  const asked = connection.ask(call(), 'create', await request('exp-1', MiB));
  const machine = createLocalMachine({ name: 'local', stateDirectory: directory, log: recordingLog([]) });
  await machine.settle({ ...call(), epoch: 2 }, 'exp-1');
  process.kill(pid, 'SIGCONT');
  await t.throwsAsync(asked, { code: 'ABORTED', message: /epoch 2/ });
  t.deepEqual(await exporter.contract.listExports(call()), []);
});

test.serial('SIGTERM › ends the server with everything that clients wrote on the medium, and exit code 0', async (t) => {
  const { control, open, connect, request } = await makeDaemonFixture(t);
  const exporter = await open();
  const { pid } = (await greetingOf(control)) ?? {};
  await kill(Number(pid));
  const server = serveByHand(t, control);
  const exited = once(server, 'exit');
  const log: string[] = [];
  server.stderr.setEncoding('utf8').on('data', (text: string) => log.push(text));
  await until(() => log.join('').includes('the NBD server is ready'), 20_000);

  const served = await request('exp-1', MiB);
  const { uri } = (await exporter.contract.createExport(call(), served)) as { uri: string };
  t.is((await greetingOf(control))?.pid, server.pid);
  const client = await connect(uri);
  const writes = Array.from({ length: 16 }, (_, index) => client.write(index * 64 * KiB, pattern(index, 64 * KiB)));
  await Promise.all(writes);
  server.kill('SIGTERM');
  t.deepEqual(await exited, [0, null], log.join(''));
  await client.closed;
  t.deepEqual(await readFile(served.volume.locator.path), Buffer.concat(writes.map((_, index) => pattern(index, 64 * KiB))));
});

test.serial('the server › lives on when nobody takes its log any more', async (t) => {
  const { control, open } = await makeDaemonFixture(t);
  await open();
  const { pid } = (await greetingOf(control)) ?? {};
  await kill(Number(pid));
  const server = serveByHand(t, control);
  await once(server.stderr, 'data');
  server.stderr.destroy();
  const port = Number(await readFile(`${control}.port`, 'utf8'));
  for (let time = 0; time < 5; time += 1) {
    const socket = connectSocket(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end('this is not NBD at all, and it is logged as such');
    await closed;
  }
  t.is((await greetingOf(control))?.pid, server.pid);
});

test.serial('the control socket › is of this user alone, and outlives garbage, half lines and lines without end', async (t) => {
  const { control, open, greeting } = await makeDaemonFixture(t);
  const exporter = await open();
  const { pid } = await greeting();
  t.is((await stat(control)).mode & 0o777, 0o600);
  t.is((await stat(join(control, '..'))).mode & 0o077, 0);
  const garbage = [
    '\n',
    'null\n',
    '{"method":"create"}\n',
    `{"method":"format","operationId":"","epoch":1,"request":{}}\n`,
    '{"half',
    'x'.repeat(3 * MiB),
  ];
  for (const bytes of garbage) {
    const socket = connectSocket(control);
    const heard: string[] = [];
    socket.on('error', () => undefined);
    socket.setEncoding('utf8').on('data', (text: string) => heard.push(text));
    await until(() => heard.join('').includes('\n'));
    heard.length = 0;
    // A line that is too long resets the connection.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end(bytes);
    await closed;
    const reply = heard.join('');
    if (bytes.endsWith('\n')) t.regex(reply, /"code":"INVALID_ARGUMENT"/, bytes);
  }
  t.deepEqual(await exporter.contract.listExports(call()), []);
  t.is((await greeting()).pid, pid);
});

test.serial('open › with other settings starts an idle server anew, and leaves one with exports alone and says so', async (t) => {
  const { open, request, greeting } = await makeDaemonFixture(t);
  const before = await open();
  const { pid } = await greeting();
  const log: LogLine[] = [];
  const after = await open({ config: { maxConnections: 3 }, log });
  const changed = await greeting();
  t.not(changed.pid, pid);
  t.is(changed.settings.maxConnections, 3);
  t.deepEqual(await after.check(call()), []);
  t.regex((await before.check(call())).join(), /maxConnections is 3 there, and 1024 in the configuration/);

  await after.contract.createExport(call(), await request('exp-1', MiB));
  const later = await open({ config: { maxConnections: 5 }, log });
  t.is((await greeting()).pid, changed.pid);
  t.true(log.some(({ level, message }) => level === 'warn' && message.includes('stays as it is')));
  t.regex((await later.check(call())).join(), /maxConnections is 3 there, and 5 in the configuration/);
});

test.serial('open › refuses a state directory whose path is too long for a socket, and names it', async (t) => {
  const { directory } = await makeDaemonFixture(t);
  const deep = join(directory, 'd'.repeat(100));
  await mkdir(deep);
  const refused = await t.throwsAsync(openOwn(deep), { code: 'CONFIG_INVALID' });
  t.regex(refused.message, /takes 107: set stateDirectory to a shorter one/);
});

test.serial('open › with its port in use is the error that a server of this process gives', async (t) => {
  const { open } = await makeDaemonFixture(t);
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  t.teardown(() => holder.close());
  const { port } = holder.address() as { port: number };
  const refused = await t.throwsAsync(open({ config: { port } }), { code: 'RESOURCE_EXHAUSTED' });
  t.regex(refused.message, new RegExp(`port ${port} of 127\\.0\\.0\\.1 is in use`));
});

test.serial('vbs-nbd-server › status tells what is served; stop refuses while a client is connected, and --force does not', async (t) => {
  const { control, open, connect, request, greeting } = await makeDaemonFixture(t);
  const exporter = await open();
  const { pid } = await greeting();
  const { uri } = (await exporter.contract.createExport(call(), await request('exp-1', MiB))) as { uri: string };
  const client = await connect(uri);
  const told = await run('status', '--control', control);
  t.is(told.code, 0, told.errors);
  t.like(JSON.parse(told.out), { instance: 'vs1/nbd', pid, sessions: 1, exports: [{ exportId: 'exp-1', connection: { uri } }] });

  const refused = await run('stop', '--control', control);
  t.is(refused.code, 1);
  t.regex(refused.errors, /^FAILED_PRECONDITION: the NBD server has 1 export\(s\) and 1 connected client/);
  await client.write(0, Buffer.alloc(512, 9));
  t.is((await run('stop', '--control', control, '--force')).code, 0);
  t.false(isAlive(pid));
  await client.closed;
  const gone = await run('status', '--control', control);
  t.is(gone.code, 1);
  t.regex(gone.errors, /^UNAVAILABLE: no NBD server listens/);
});

const wrong = test.macro({
  exec: async (t, args: readonly string[]) => {
    const { code, errors } = await run(...args);
    t.is(code, 2);
    t.regex(errors, /vbs-nbd-server serve --config FILE/);
  },
  title: (_, args: readonly string[]) => `vbs-nbd-server ${args.join(' ')} › is wrong usage`,
});
for (const args of [[], ['serve'], ['status'], ['stop', '--force'], ['begin', '--control', 'x'], ['status', '--contrl', 'x']])
  test.serial(wrong, args);

test.serial('vbs-nbd-server serve › refuses a second server of one control socket', async (t) => {
  const { control, open, greeting } = await makeDaemonFixture(t);
  await open();
  const { pid } = await greeting();
  const second = await run('serve', '--config', control.replace(/\.sock$/, '.json'));
  t.is(second.code, 1);
  t.regex(second.errors, /another process serves .* already/);
  t.is((await greeting()).pid, pid);
});

test('daemonLog › a flood of lines is cut at its share', (t) => {
  const lines: string[] = [];
  const log = daemonLog((line) => lines.push(line));
  for (let count = 0; count < 1_000; count += 1) log.warn({ count }, 'hostile');
  t.is(lines.length, 200, 'a flood is cut');
});

test.serial('an exporter › of process this keeps lifetime process, one of process own has lifetime daemon', async (t) => {
  const { directory, open } = await makeDaemonFixture(t);
  t.is((await open()).provider.lifetime, 'daemon');
  const machine = createLocalMachine({ name: 'local', stateDirectory: directory, log: recordingLog([]) });
  const opened = await openInstance(nbdPlugin, 'targetExporter', {
    name: 'vs1/here',
    configuration: {
      name: 'vs1/here',
      path: '/here',
      plugin: 'nbd',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { port: 0 },
    },
    machine,
    store: { id: '0'.repeat(32), knowsPool: true },
    baseDirectory: directory,
    stateDirectory: directory,
    log: recordingLog([]),
  });
  t.teardown(() => opened.close());
  t.is(opened.provider.lifetime, 'process');
});
