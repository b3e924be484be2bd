import { createServer, type Socket } from 'node:net';
import { formatNbdUri, NbdClient, parseNbdUri } from '@vbs/plugin-nbd/client';
import { encodeGreeting, encodeInfo, encodeOptionReply } from '@vbs/plugin-nbd/internal/protocol/options.js';
import { encodeSimpleReply } from '@vbs/plugin-nbd/internal/protocol/requests.js';
import test, { type ExecutionContext } from 'ava';
import { MiB, makeFixture, pattern, until } from './nbd-fixture.js';

/** A server that says what the test tells it to, and counts what it hears. */
async function fakeServer(t: ExecutionContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** Lets a client in, with a maximum payload; `onRequest` gets what it sends afterwards. */
function admit(socket: Socket, maximumPayload: number, onData: (data: Buffer) => void): void {
  socket.write(encodeGreeting());
  let heard = 0;
  socket.on('data', (data: Buffer) => {
    heard += data.length;
    if (heard >= 4 + 16 && !('entered' in socket)) {
      Object.assign(socket, { entered: true });
      const info = encodeInfo({ type: 'export', sizeBytes: 64 * MiB, flags: 0x6d });
      const blocks = encodeInfo({ type: 'blockSize', minimum: 1, preferred: 4096, maximumPayload });
      socket.write(Buffer.concat([encodeOptionReply(7, 3, info), encodeOptionReply(7, 3, blocks), encodeOptionReply(7, 1)]));
    } else if ('entered' in socket) onData(data);
  });
}

test('parseNbdUri › takes what the specification writes, and names the field of what it does not take', (t) => {
  t.deepEqual(parseNbdUri('nbd://127.0.0.1:10809/exp-1'), { host: '127.0.0.1', port: 10809, exportName: 'exp-1', secure: false });
  t.deepEqual(parseNbdUri('nbd://[::1]:1/a%20b'), { host: '::1', port: 1, exportName: 'a b', secure: false });
  t.deepEqual(parseNbdUri('nbd://localhost'), { host: 'localhost', port: 10809, exportName: '', secure: false });
  t.deepEqual(parseNbdUri('nbds://h.example/exp-1'), { host: 'h.example', port: 10809, exportName: 'exp-1', secure: true });
  t.deepEqual(parseNbdUri('nbd+unix:///exp-1?socket=/run/a%20b'), { socket: '/run/a b', exportName: 'exp-1', secure: false });
  t.deepEqual(parseNbdUri('nbds+unix:///exp-1?socket=/run/s'), { socket: '/run/s', exportName: 'exp-1', secure: true });
  for (const uri of ['nbd://127.0.0.1:10809/exp-1', 'nbds://[::1]:1/a%20b', 'nbd+unix:///exp-1?socket=/run/a%20b']) {
    t.is(formatNbdUri(parseNbdUri(uri)), uri);
  }
  const wrong = ['', 'exp-1', 'http://127.0.0.1/exp-1', 'nbd:///exp-1', 'nbd://h/%ff', 'nbd+unix:///exp', 'nbd://h/exp?socket=/x'];
  for (const uri of [...wrong, 'nbd+unix://h/exp?socket=/x']) {
    t.throws(() => parseNbdUri(uri), { code: 'INVALID_ARGUMENT' }, uri);
  }
});

test('connect › an unknown export is NOT_FOUND, by URI and by host, port and name', async (t) => {
  const { port } = await makeFixture(t);
  await t.throwsAsync(NbdClient.connect({ uri: `nbd://127.0.0.1:${port}/exp-9` }), { code: 'NOT_FOUND', message: /exp-9/ });
  await t.throwsAsync(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'exp-9' }), { code: 'NOT_FOUND' });
  await t.throwsAsync(NbdClient.info({ host: '127.0.0.1', port, exportName: 'exp-9' }), { code: 'NOT_FOUND' });
});

test('connect › nobody listens: UNAVAILABLE with host and port', async (t) => {
  const { port, exporter } = await makeFixture(t);
  await exporter.close?.();
  await t.throwsAsync(NbdClient.connect({ uri: `nbd://127.0.0.1:${port}/exp-1` }), {
    code: 'UNAVAILABLE',
    message: new RegExp(`127\\.0\\.0\\.1:${port}`),
  });
});

test('connect › a silent server is DEADLINE_EXCEEDED, a cancelled signal ABORTED', async (t) => {
  const port = await fakeServer(t, () => undefined);
  await t.throwsAsync(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x', timeLimitMs: 100 }), { code: 'DEADLINE_EXCEEDED' });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  await t.throwsAsync(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x', signal: controller.signal }), { code: 'ABORTED' });
  await t.throwsAsync(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x', signal: AbortSignal.abort() }), { code: 'ABORTED' });
});

const liar = test.macro({
  async exec(t, said: readonly Buffer[]) {
    const port = await fakeServer(t, (socket) => {
      for (const bytes of said) socket.write(bytes);
    });
    await t.throwsAsync(NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x', timeLimitMs: 2_000 }), { code: 'UNAVAILABLE' });
  },
  title: (title) => `connect › ${title} is UNAVAILABLE, not a crash`,
});
test('an HTTP server', liar, [Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')]);
test('an oldstyle server', liar, [Buffer.concat([Buffer.from('NBDMAGIC'), Buffer.from('00420281861253', 'hex'), Buffer.alloc(150)])]);
test('a reply to another option', liar, [encodeGreeting(), encodeOptionReply(3, 1)]);
test('an acknowledgement without a size', liar, [encodeGreeting(), encodeOptionReply(7, 1)]);
test('a reply of 2 GiB', liar, [encodeGreeting(), Buffer.from('0003e889045565a9000000070000000380000000', 'hex')]);
test('a size above 2^53', liar, [encodeGreeting(), encodeOptionReply(7, 3, Buffer.from('0000ffffffffffffffff0001', 'hex'))]);

test('a server that dies › ends every request in flight with UNAVAILABLE, and closed', async (t) => {
  const sockets: Socket[] = [];
  const port = await fakeServer(t, (socket) => {
    sockets.push(socket);
    admit(socket, 32 * MiB, () => undefined);
  });
  const client = await NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x' });
  const requests = [
    client.read(0, 4096),
    client.write(0, Buffer.alloc(512)),
    client.flush(),
    ...Array.from({ length: 40 }, () => client.read(0, 1)),
  ];
  setTimeout(() => sockets[0]?.destroy(), 50);
  for (const end of await Promise.allSettled(requests)) t.is(end.status === 'rejected' && end.reason.code, 'UNAVAILABLE');
  await client.closed;
  t.is(client.error?.code, 'UNAVAILABLE');
  await t.throwsAsync(client.read(0, 1), { code: 'UNAVAILABLE' });
  await client.disconnect();
});

test('a server that does not answer › is given up at the stall limit', async (t) => {
  const port = await fakeServer(t, (socket) => admit(socket, 32 * MiB, () => undefined));
  const client = await NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x', stallTimeLimitMs: 100 });
  await new Promise((resolve) => setTimeout(resolve, 250));
  t.is(client.error, null, 'rest is no stall');
  await t.throwsAsync(client.read(0, 1), { code: 'DEADLINE_EXCEEDED' });
  await client.closed;
});

test('a reply to nothing that was asked › ends the connection', async (t) => {
  const port = await fakeServer(t, (socket) => admit(socket, 32 * MiB, () => socket.write(encodeSimpleReply(99n, 0))));
  const client = await NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x' });
  await t.throwsAsync(client.flush(), { code: 'UNAVAILABLE', message: /protocol/ });
});

test('read and write › are split at the server’s maximum payload, at most 16 in flight', async (t) => {
  const lengths: number[] = [];
  let socket: Socket | undefined;
  const port = await fakeServer(t, (accepted) => {
    socket = accepted;
    admit(accepted, 64 * 1024, (data) => {
      for (let at = 0; at + 28 <= data.length; at += 28) {
        lengths.push(data.readUInt32BE(at + 24));
        handles.push(data.readBigUInt64BE(at + 8));
      }
    });
  });
  const handles: bigint[] = [];
  const client = await NbdClient.connect({ host: '127.0.0.1', port, exportName: 'x' });
  const reading = client.read(0, 20 * 64 * 1024 + 5);
  await until(() => lengths.length === 16);
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.is(lengths.length, 16);
  for (let answered = 0; answered < 21; answered += 1) {
    await until(() => handles.length > answered);
    const last = answered === 20;
    socket?.write(Buffer.concat([encodeSimpleReply(handles[answered] ?? 0n, 0), pattern(answered, last ? 5 : 64 * 1024)]));
  }
  const bytes = await reading;
  t.deepEqual([...lengths], [...Array.from({ length: 20 }, () => 64 * 1024), 5]);
  for (let index = 0; index < 20; index += 1)
    t.true(bytes.subarray(index * 64 * 1024, (index + 1) * 64 * 1024).equals(pattern(index, 64 * 1024)));
});

test('requests › out of range or impossible are refused by code and field', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', MiB);
  const client = await connect('exp-1');
  const impossible: readonly (() => Promise<unknown>)[] = [
    () => client.read(MiB, 1),
    () => client.read(MiB - 1, 2),
    () => client.read(0, 2 * MiB),
    () => client.read(0, 1e15),
    () => client.read(-1, 1),
    () => client.read(0.5, 1),
    () => client.read(0, Number.NaN),
    () => client.read(Number.MAX_SAFE_INTEGER, 1),
    () => client.write(MiB - 1, Buffer.alloc(2)),
    () => client.write(2 ** 60, Buffer.alloc(2)),
    () => client.trim(0, MiB + 1),
    () => client.writeZeroes(1, MiB),
  ];
  for (const ask of impossible) await t.throwsAsync(ask, { code: 'OUT_OF_RANGE' });
  t.is((await client.read(0, 0)).length, 0);
  t.is((await client.read(MiB - 1, 1)).length, 1);
});

test('a read-only export › says so, and every change is PERMISSION_DENIED', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', MiB, 'read-only');
  const client = await connect('exp-1');
  t.true(client.readOnly);
  await t.throwsAsync(client.write(0, Buffer.alloc(1)), { code: 'PERMISSION_DENIED' });
  await t.throwsAsync(client.trim(0, 512), { code: 'PERMISSION_DENIED' });
  await t.throwsAsync(client.writeZeroes(0, 512), { code: 'PERMISSION_DENIED' });
  await client.flush();
  t.true((await client.read(0, 512)).equals(Buffer.alloc(512)));
});

test('disconnect › lets requests in flight end, refuses later ones, and may be repeated', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', 32 * MiB);
  const client = await connect('exp-1');
  const writes = [0, 1, 2, 3].map((index) => client.write(index * MiB, pattern(index, MiB)));
  const gone = Promise.all([client.disconnect(), client.disconnect()]);
  await t.notThrowsAsync(Promise.all(writes));
  await gone;
  await client.closed;
  await t.throwsAsync(client.read(0, 1), { code: 'UNAVAILABLE', message: /disconnected/ });
  await client.disconnect();
});

test('a thousand requests at once › wait their turn and are all answered rightly', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', 4 * MiB);
  const client = await connect('exp-1');
  await client.write(0, pattern(1, 4 * MiB));
  const expected = pattern(1, 4 * MiB);
  const reads = await Promise.all(Array.from({ length: 1_000 }, (_, index) => client.read(index * 4_000, 4_096)));
  t.true(reads.every((bytes, index) => bytes.equals(expected.subarray(index * 4_000, index * 4_000 + 4_096))));
});

test('list and info › tell without entering', async (t) => {
  const { make, port } = await makeFixture(t);
  await make('exp-1', MiB, 'read-only');
  t.deepEqual(await NbdClient.list({ uri: `nbd://127.0.0.1:${port}` }), ['exp-1']);
  t.deepEqual(await NbdClient.info({ uri: `nbd://127.0.0.1:${port}/exp-1` }), { sizeBytes: MiB, readOnly: true, flags: 0x50f });
});
