import { open, truncate } from 'node:fs/promises';
import { parseChunkHeader } from '@vbs/plugin-nbd/internal/protocol/chunks.js';
import { encodeMetaContextRequest, parseMetaContextRequest } from '@vbs/plugin-nbd/internal/protocol/meta-contexts.js';
import { encodeInfoRequest, encodeOption, parseInfo } from '@vbs/plugin-nbd/internal/protocol/options.js';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { KiB, MiB, pattern } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';
import { makeServer } from './server-fixture.js';

const opt = { info: 6, go: 7, structuredReply: 8, listMetaContext: 9, setMetaContext: 10 };
const rep = { ack: 1, info: 3, metaContext: 4, errInvalid: 0x80000003, errUnknown: 0x80000006 };
const type = { none: 0, data: 1, hole: 2, blockStatus: 5, error: 0x8001, errorOffset: 0x8002 };
const cmd = { read: 0, write: 1, trim: 4, zeroes: 6, status: 7 };
const flag = { df: 4, reqOne: 8 };
const none = Buffer.alloc(0);

interface Chunk {
  readonly type: number;
  readonly done: boolean;
  readonly data: Buffer;
}

async function chunk(client: RawClient): Promise<Chunk> {
  const header = parseChunkHeader(await client.read(20));
  if (header === null) throw new Error('no chunk');
  return { type: header.type, done: header.done, data: await client.read(header.length) };
}

async function reply(client: RawClient): Promise<readonly Chunk[]> {
  const chunks: Chunk[] = [];
  do chunks.push(await chunk(client));
  while (chunks.at(-1)?.done === false);
  return chunks;
}

/** What the chunks of a READ put together; bytes that no chunk told of are 0xee. */
function assembled(chunks: readonly Chunk[], offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length, 0xee);
  for (const one of chunks) {
    const at = Number(one.data.readBigUInt64BE(0)) - offset;
    if (one.type === type.data) one.data.copy(bytes, at, 8);
    else if (one.type === type.hole) bytes.fill(0, at, at + one.data.readUInt32BE(8));
    else throw new Error(`chunk of type ${one.type}`);
  }
  return bytes;
}

function extentsOf({ data }: Chunk): readonly (readonly [number, number])[] {
  return Array.from({ length: (data.length - 4) / 8 }, (_, index) => [data.readUInt32BE(4 + 8 * index), data.readUInt32BE(8 + 8 * index)]);
}

interface Entered {
  readonly client: RawClient;
  readonly path: string;
  readonly flags: number;
}

/** An export of a sparse file, entered with structured replies and, unless told, base:allocation. */
async function enter(
  t: ExecutionContext,
  sizeBytes: number,
  queries = ['base:allocation'],
  fill?: (path: string) => Promise<void>,
): Promise<Entered> {
  const { port, serve, directory } = await makeServer(t);
  const path = `${directory}/volume`;
  await (await open(path, 'w')).close();
  await truncate(path, sizeBytes);
  await fill?.(path);
  await serve('exp-1', sizeBytes, { path });
  const client = await RawClient.connect(t, port);
  await client.greet();
  client.send(encodeOption(opt.structuredReply, none));
  t.is((await client.optionReply()).type, rep.ack);
  client.send(encodeOption(opt.setMetaContext, encodeMetaContextRequest({ exportName: 'exp-1', queries })));
  while ((await client.optionReply()).type !== rep.ack);
  client.send(encodeOption(opt.go, encodeInfoRequest({ exportName: 'exp-1', types: [] })));
  const info = parseInfo((await client.optionReply()).data);
  await client.optionReply();
  return { client, path, flags: typeof info === 'object' && info?.type === 'export' ? info.flags : 0 };
}

async function put(path: string, offset: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, offset);
  await file.sync();
  await file.close();
}

test('structured replies › DF is offered with them, and not without', async (t) => {
  const { flags } = await enter(t, MiB);
  t.is(flags & 128, 128);
});

test('READ › comes in chunks that together are the bytes, holes without their zeros', async (t) => {
  const { client } = await enter(t, 16 * MiB, [], async (path) => {
    await put(path, 0, pattern(1, MiB));
    await put(path, 5 * MiB, pattern(2, 2 * MiB));
  });
  client.request(cmd.read, 512 * KiB, 12 * MiB);
  const chunks = await reply(client);
  const expected = Buffer.alloc(12 * MiB);
  pattern(1, MiB).copy(expected, 0, 512 * KiB);
  pattern(2, 2 * MiB).copy(expected, 4.5 * MiB);
  t.true(assembled(chunks, 512 * KiB, 12 * MiB).equals(expected));
  t.is(chunks.filter((one) => one.type === type.hole).length, 2);
  client.request(cmd.read, 7, 100);
  const small = await reply(client);
  t.deepEqual(
    small.map((one) => [one.type, one.done]),
    [[type.data, true]],
  );
  t.true(assembled(small, 7, 100).equals(pattern(1, MiB).subarray(7, 107)));
  client.request(cmd.read, 0, 0);
  t.deepEqual(
    (await reply(client)).map((one) => one.type),
    [type.none],
  );
});

test('READ with DF › is one chunk, or EOVERFLOW where it is too long for one', async (t) => {
  const { client } = await enter(t, 16 * MiB);
  client.request(cmd.read, 0, MiB, { flags: flag.df });
  t.deepEqual(
    (await reply(client)).map((one) => [one.type, one.data.length]),
    [[type.data, MiB + 8]],
  );
  client.request(cmd.read, 0, 2 * MiB, { flags: flag.df });
  const refused = await chunk(client);
  t.deepEqual([refused.type, refused.data.readUInt32BE(0)], [type.error, 75]);
});

test('a hole that is written › is data for the next read, and a hole again after TRIM', async (t) => {
  const { client } = await enter(t, 8 * MiB);
  for (let turn = 0; turn < 3; turn += 1) {
    client.request(cmd.read, 0, 4 * MiB);
    t.deepEqual(
      (await reply(client)).map((one) => one.type),
      [type.hole],
    );
    client.request(cmd.write, MiB, MiB, { data: pattern(turn, MiB) });
    t.is((await client.reply()).error, 0);
    client.request(cmd.read, 0, 4 * MiB);
    const expected = Buffer.alloc(4 * MiB);
    pattern(turn, MiB).copy(expected, MiB);
    t.true(assembled(await reply(client), 0, 4 * MiB).equals(expected));
    client.request(turn === 1 ? cmd.zeroes : cmd.trim, 0, 4 * MiB);
    t.is((await client.reply()).error, 0);
  }
});

test('READ of a file that was truncated behind our back › is an error with the offset, not zeros', async (t) => {
  const { client, path } = await enter(t, 8 * MiB, [], (file) => put(file, 0, pattern(1, 2 * MiB)));
  await truncate(path, 2 * MiB);
  client.request(cmd.read, 0, 6 * MiB);
  const chunks = await reply(client);
  const last = chunks.at(-1);
  t.deepEqual(
    [last?.type, last?.data.readUInt32BE(0), last?.data.readBigUInt64BE(last.data.length - 8)],
    [type.errorOffset, 5, BigInt(2 * MiB)],
  );
  t.true(assembled(chunks.slice(0, -1), 0, 2 * MiB).equals(pattern(1, 2 * MiB)));
  client.request(cmd.read, 4 * MiB, 512);
  t.is((await chunk(client)).type, type.error);
  client.request(cmd.status, 4 * MiB, MiB);
  t.is((await chunk(client)).type, type.error);
  client.request(cmd.read, 0, 512);
  t.is((await chunk(client)).type, type.data);
});

test('BLOCK_STATUS › tells data and holes, and one extent where one is asked for', async (t) => {
  const { client } = await enter(t, 16 * MiB, ['base:allocation'], async (path) => {
    await put(path, MiB, pattern(1, MiB));
    await put(path, 8 * MiB, pattern(1, MiB));
  });
  client.request(cmd.status, 0, 16 * MiB);
  const [whole] = await reply(client);
  t.is(whole?.data.readUInt32BE(0), 1);
  t.deepEqual(whole && extentsOf(whole), [
    [MiB, 3],
    [MiB, 0],
    [6 * MiB, 3],
    [MiB, 0],
    [7 * MiB, 3],
  ]);
  client.request(cmd.status, MiB + 4 * KiB, 12 * MiB, { flags: flag.reqOne });
  const [one] = await reply(client);
  t.deepEqual(one && extentsOf(one), [[MiB - 4 * KiB, 0]]);
});

test('BLOCK_STATUS › of a file with many holes tells a bounded number of extents, from which the client goes on', async (t) => {
  const count = 1_000;
  const { client } = await enter(t, count * 16 * KiB, ['base:allocation'], async (path) => {
    const file = await open(path, 'r+');
    for (let index = 0; index < count; index += 1) await file.write(Buffer.alloc(4 * KiB, 1), 0, 4 * KiB, index * 16 * KiB);
    await file.sync();
    await file.close();
  });
  let [at, data, replies] = [0, 0, 0];
  for (; at < count * 16 * KiB && replies < 100; replies += 1) {
    client.request(cmd.status, at, count * 16 * KiB - at);
    const [told] = await reply(client);
    const extents = told === undefined ? [] : extentsOf(told);
    t.true(extents.length > 0 && extents.length <= 512);
    for (const [length, flags] of extents) {
      at += length;
      if (flags === 0) data += length;
    }
  }
  t.is(at, count * 16 * KiB);
  t.is(data, count * 4 * KiB);
  t.true(replies > 1);
});

test('BLOCK_STATUS › that was not negotiated is EINVAL as a structured error, and the connection goes on', async (t) => {
  const { client } = await enter(t, MiB, []);
  client.request(cmd.status, 0, MiB);
  const refused = await chunk(client);
  t.deepEqual([refused.type, refused.data.readUInt32BE(0)], [type.error, 22]);
  client.request(cmd.read, 0, MiB + 1);
  t.is((await chunk(client)).data.readUInt32BE(0), 22);
  client.request(cmd.read, 0, 1);
  t.is((await chunk(client)).type, type.data);
});

const contexts = test.macro({
  async exec(t, option: number, queries: readonly string[], expected: readonly string[]) {
    const { port, serve } = await makeServer(t);
    await serve('exp-1', MiB);
    const client = await RawClient.connect(t, port);
    await client.greet();
    client.send(encodeOption(opt.structuredReply, none));
    await client.optionReply();
    client.send(encodeOption(option, encodeMetaContextRequest({ exportName: 'exp-1', queries })));
    const names: string[] = [];
    for (let answer = await client.optionReply(); answer.type !== rep.ack; answer = await client.optionReply()) {
      t.is(answer.type, rep.metaContext);
      names.push(answer.data.subarray(4).toString());
    }
    t.deepEqual(names, expected);
  },
  title: (_, option: number, queries: readonly string[]) =>
    `metadata contexts › ${option === opt.listMetaContext ? 'list' : 'set'} of [${queries.join(', ')}]`,
});
test(contexts, opt.listMetaContext, [], ['base:allocation']);
test(contexts, opt.listMetaContext, ['base:'], ['base:allocation']);
test(contexts, opt.listMetaContext, ['qemu:', 'base:allocation'], ['base:allocation']);
test(contexts, opt.listMetaContext, ['qemu:dirty-bitmap:x'], []);
test(contexts, opt.setMetaContext, ['base:allocation', 'base:allocation', 'x'], ['base:allocation']);
test(contexts, opt.setMetaContext, [], []);
test(contexts, opt.setMetaContext, ['base:'], []);

const broken = test.macro({
  async exec(t, data: Buffer, expected: number) {
    const { port, serve } = await makeServer(t);
    await serve('exp-1', MiB);
    const client = await RawClient.connect(t, port);
    await client.greet();
    client.send(encodeOption(opt.structuredReply, none));
    await client.optionReply();
    client.send(encodeOption(opt.setMetaContext, data));
    t.is((await client.optionReply()).type, expected);
    client.send(encodeOption(opt.structuredReply, none));
    t.is((await client.optionReply()).type, rep.ack, 'the negotiation goes on');
  },
  title: (title) => `metadata contexts › refuses ${title}`,
});
test('no data', broken, none, rep.errInvalid);
test('an unknown export', broken, encodeMetaContextRequest({ exportName: 'exp-9', queries: [] }), rep.errUnknown);
test('a count of 2^32 - 1 queries', broken, Buffer.from('000000056578702d31ffffffff', 'hex'), rep.errInvalid);
test('a query longer than its data', broken, Buffer.from('000000056578702d31000000010000ffff', 'hex'), rep.errInvalid);
test('bytes behind the last query', broken, Buffer.from('000000056578702d310000000000', 'hex'), rep.errInvalid);

test('metadata contexts › come back from their bytes as they went, and any bytes are null or encode to the same', (t) => {
  const text = fc.string({ maxLength: 50 }).filter((value) => !value.includes('\0'));
  fc.assert(
    fc.property(text, fc.array(text, { maxLength: 5 }), (exportName, queries) => {
      t.deepEqual(parseMetaContextRequest(encodeMetaContextRequest({ exportName, queries })), { exportName, queries });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (data) => {
      const bytes = Buffer.from(data);
      const parsed = parseMetaContextRequest(bytes);
      return parsed === null || encodeMetaContextRequest(parsed).equals(bytes);
    }),
  );
});
