import { encodeInfoRequest, encodeOption, parseInfo } from '@vbs/plugin-nbd/internal/protocol/options.js';
import test from 'ava';
import { KiB, MiB, makeFixture, sessionsOf } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';

const opt = { exportName: 1, abort: 2, list: 3, starttls: 5, info: 6, go: 7, structuredReply: 8, setMetaContext: 10 };
const rep = { ack: 1, server: 2, info: 3, errUnsup: 0x80000001, errPolicy: 0x80000002, errInvalid: 0x80000003, errUnknown: 0x80000006 };
const none = Buffer.alloc(0);

test('negotiation › greets as fixed newstyle and offers to leave out the zeroes', async (t) => {
  const { port } = await makeFixture(t);
  const client = await RawClient.connect(t, port);
  t.is((await client.greet()).toString('latin1'), 'NBDMAGICIHAVEOPT\0\x03');
});

test('NBD_OPT_LIST › names every export, then acknowledges', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', MiB);
  await make('exp-2', MiB);
  const client = await RawClient.connect(t, port);
  await client.greet();
  client.send(encodeOption(opt.list, none));
  const replies = [await client.optionReply(), await client.optionReply(), await client.optionReply()];
  t.deepEqual(
    replies.map(({ option, type, data }) => [option, type, data.subarray(4).toString()]),
    [
      [3, rep.server, 'exp-1'],
      [3, rep.server, 'exp-2'],
      [3, rep.ack, ''],
    ],
  );
});

test('NBD_OPT_GO › tells what was asked for and begins the transmission', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 3 * MiB, 'read-only');
  const client = await RawClient.connect(t, port);
  await client.greet();
  client.send(encodeOption(opt.go, encodeInfoRequest({ exportName: 'exp-1', types: [1, 2, 3, 999] })));
  const infos = [];
  for (let reply = await client.optionReply(); reply.type !== rep.ack; reply = await client.optionReply())
    infos.push(parseInfo(reply.data));
  t.deepEqual(infos, [
    { type: 'export', sizeBytes: 3 * MiB, flags: 1 | 2 | 4 | 8 | 256 | 1024 },
    { type: 'name', text: 'exp-1' },
    { type: 'description', text: 'VBS volume vol-1, read-only' },
    { type: 'blockSize', minimum: 1, preferred: 4096, maximumPayload: 32 * MiB },
  ]);
  client.request(0, 0, 512);
  t.is((await client.reply()).error, 0);
});

test('NBD_OPT_INFO › tells the size and goes on with the negotiation', async (t) => {
  const { port, make, exporter } = await makeFixture(t);
  await make('exp-1', MiB);
  const client = await RawClient.connect(t, port);
  await client.greet();
  for (let turn = 0; turn < 3; turn += 1) {
    client.send(encodeOption(opt.info, encodeInfoRequest({ exportName: 'exp-1', types: [] })));
    t.is((await client.optionReply()).type, rep.info);
    t.is((await client.optionReply()).type, rep.ack);
  }
  t.is(await sessionsOf(exporter, 'exp-1'), 0);
});

test('NBD_OPT_EXPORT_NAME › answers size and flags, with 124 zeroes unless they were declined', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', MiB);
  for (const [flags, length] of [
    [1, 134],
    [3, 10],
  ] as const) {
    const client = await RawClient.connect(t, port);
    await client.greet(flags);
    client.send(encodeOption(opt.exportName, Buffer.from('exp-1')));
    const answer = await client.read(length);
    t.is(answer.readBigUInt64BE(0), BigInt(MiB));
    t.is(answer.readUInt16BE(8), 1 | 4 | 8 | 32 | 64 | 256 | 1024 | 2048);
    client.request(0, 0, 1);
    t.is((await client.reply()).error, 0);
  }
});

test('NBD_OPT_ABORT › is acknowledged, and the connection ends', async (t) => {
  const { port } = await makeFixture(t);
  const client = await RawClient.connect(t, port);
  await client.greet();
  client.send(encodeOption(opt.abort, none));
  t.is((await client.optionReply()).type, rep.ack);
  t.true(await client.isDropped());
});

const refused = test.macro({
  async exec(t, option: number, data: Buffer, expected: number) {
    const { port, make } = await makeFixture(t);
    await make('exp-1', MiB);
    const client = await RawClient.connect(t, port);
    await client.greet();
    client.send(encodeOption(option, data));
    const reply = await client.optionReply();
    t.deepEqual([reply.option, reply.type], [option, expected]);
    client.send(encodeOption(opt.list, none));
    t.is((await client.optionReply()).type, rep.server, 'the negotiation goes on');
  },
  title: (title) => `negotiation › refuses ${title}, and goes on`,
});
test('structured replies with data', refused, opt.structuredReply, Buffer.alloc(1), rep.errInvalid);
test('TLS, which is not configured', refused, opt.starttls, none, rep.errPolicy);
test('metadata contexts before structured replies', refused, opt.setMetaContext, Buffer.alloc(40), rep.errInvalid);
test('an option that nobody knows', refused, 0xfffffff0, Buffer.alloc(1000), rep.errUnsup);
test('an unknown export', refused, opt.go, encodeInfoRequest({ exportName: 'exp-9', types: [] }), rep.errUnknown);
test('the default export', refused, opt.info, encodeInfoRequest({ exportName: '', types: [] }), rep.errUnknown);
test('a list with data', refused, opt.list, Buffer.alloc(4), rep.errInvalid);
test('GO without data', refused, opt.go, none, rep.errInvalid);
test('GO with a name longer than its data', refused, opt.go, Buffer.from('ffffffff00000000', 'hex'), rep.errInvalid);
test('a name that is no UTF-8', refused, opt.go, Buffer.from('00000002fffe0000', 'hex'), rep.errInvalid);
test('a name with a NUL', refused, opt.go, Buffer.from('0000000261000000', 'hex'), rep.errInvalid);

const flags = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
};
const head = (option: number, length: number): Buffer => Buffer.concat([encodeOption(option, none).subarray(0, 12), flags(length)]);

const dropped = test.macro({
  async exec(t, bytes: Buffer, half: 'end' | 'keep' = 'keep') {
    const { port, make, connect } = await makeFixture(t, { handshakeTimeLimitMs: 2_000 });
    await make('exp-1', MiB);
    const neighbour = await connect('exp-1');
    const client = await RawClient.connect(t, port);
    client.send(bytes);
    if (half === 'end') client.socket.end();
    t.true(await client.isDropped(1_500));
    await neighbour.write(0, Buffer.from('still here'));
    t.is((await neighbour.read(0, 10)).toString(), 'still here');
    t.is((await connect('exp-1')).sizeBytes, MiB, 'new clients get in');
  },
  title: (title) => `negotiation › drops ${title}; neighbours and newcomers are served`,
});
test('unknown client flags', dropped, flags(7));
test('client flags with the highest bit', dropped, flags(0x80000001));
test('an HTTP request', dropped, Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
test('a TLS greeting', dropped, Buffer.from('16030100c8010000c40303000000000000000000000000000000', 'hex'));
test('an option without its magic', dropped, Buffer.concat([flags(3), Buffer.alloc(16, 0x42)]));
test('an option of 4 GiB', dropped, Buffer.concat([flags(3), head(opt.go, 0xffffffff)]));
test('an option of 64 KiB', dropped, Buffer.concat([flags(3), head(99, 64 * KiB)]));
test('EXPORT_NAME of an unknown export', dropped, Buffer.concat([flags(3), encodeOption(opt.exportName, Buffer.from('exp-9'))]));
test('EXPORT_NAME that is no UTF-8', dropped, Buffer.concat([flags(3), encodeOption(opt.exportName, Buffer.from([0xff]))]));
test('65 options without a choice', dropped, Buffer.concat([flags(3), ...Array.from({ length: 65 }, () => encodeOption(99, none))]));
test('half a flags field and an end', dropped, Buffer.from([0, 0]), 'end');
test('half an option header and an end', dropped, Buffer.concat([flags(3), head(opt.go, 10).subarray(0, 9)]), 'end');
test('half of an option’s data and an end', dropped, Buffer.concat([flags(3), head(opt.go, 10), Buffer.alloc(3)]), 'end');
test('random bytes', dropped, Buffer.from('d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427e', 'hex'));

test('negotiation › has a time limit, whether nothing or half an option came', async (t) => {
  const { port, make, connect } = await makeFixture(t, { handshakeTimeLimitMs: 1_000 });
  await make('exp-1', MiB);
  const silent = await RawClient.connect(t, port);
  const half = await RawClient.connect(t, port);
  half.send(Buffer.concat([flags(3), head(opt.go, 100)]));
  const chosen = await connect('exp-1');
  t.deepEqual(await Promise.all([silent.isDropped(), half.isDropped()]), [true, true]);
  t.is((await chosen.read(0, 1)).length, 1, 'a client that has chosen stays');
});

test('maxConnections › refuses who comes too many, and takes the next when one has gone', async (t) => {
  const { port, make, connect, log } = await makeFixture(t, { maxConnections: 2 });
  await make('exp-1', MiB);
  const first = await connect('exp-1');
  await connect('exp-1');
  const third = await RawClient.connect(t, port);
  t.true(await third.isDropped(2_000));
  t.true(log.some(({ level, message }) => level === 'warn' && message.includes('maxConnections')));
  await first.disconnect();
  t.is((await (await connect('exp-1')).read(0, 4)).length, 4);
});
