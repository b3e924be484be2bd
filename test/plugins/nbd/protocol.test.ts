import { Readable } from 'node:stream';
import { ByteReader, ConnectionEnded } from '@vbs/plugin-nbd/internal/protocol/byte-reader.js';
import { command, type ErrorValue, errorValue } from '@vbs/plugin-nbd/internal/protocol/constants.js';
import * as options from '@vbs/plugin-nbd/internal/protocol/options.js';
import {
  type Agreed,
  encodeRequest,
  encodeSimpleReply,
  errorValueOf,
  parseRequest,
  parseSimpleReply,
  refuse,
} from '@vbs/plugin-nbd/internal/protocol/requests.js';
import test from 'ava';
import fc from 'fast-check';

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const text = fc
  .string({ unit: 'grapheme', maxLength: 200 })
  .filter((value) => !value.includes('\0') && Buffer.from(value).toString() === value);
const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));

test('parsers › take any bytes without throwing, and answer null or what encodes to the same', (t) => {
  const parsers: readonly ((data: Buffer) => unknown)[] = [
    options.parseGreeting,
    options.parseClientFlags,
    options.parseOptionHeader,
    options.parseOptionReplyHeader,
    options.parseInfoRequest,
    options.parseServerReply,
    options.parseInfo,
    options.parseString,
    parseRequest,
    parseSimpleReply,
  ];
  fc.assert(
    fc.property(bytes, (data) => {
      for (const parse of parsers) parse(data);
      const info = options.parseInfoRequest(data);
      return info === null || options.encodeInfoRequest(info).equals(data);
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('requests › come back from their bytes as they went', (t) => {
  fc.assert(
    fc.property(fc.record({ flags: u16, type: u16, handle: u64, offset: u64, length: u32 }), (request) => {
      t.deepEqual(parseRequest(encodeRequest(request)), request);
    }),
  );
  fc.assert(
    fc.property(u64, u32, (handle, error) => {
      t.deepEqual(parseSimpleReply(encodeSimpleReply(handle, error)), { handle, error });
    }),
  );
});

test('options › come back from their bytes as they went', (t) => {
  fc.assert(
    fc.property(text, fc.array(u16, { maxLength: 20 }), (exportName, types) => {
      t.deepEqual(options.parseInfoRequest(options.encodeInfoRequest({ exportName, types })), { exportName, types });
      t.is(options.parseServerReply(options.encodeServerReply(exportName)), exportName);
      t.deepEqual(options.parseInfo(options.encodeInfo({ type: 'name', text: exportName })), { type: 'name', text: exportName });
    }),
  );
  fc.assert(
    fc.property(fc.maxSafeNat(), u16, (sizeBytes, flags) => {
      const info = { type: 'export', sizeBytes, flags } as const;
      t.deepEqual(options.parseInfo(options.encodeInfo(info)), info);
    }),
  );
});

test('parseInfoRequest › refuses lengths that do not fit the data', (t) => {
  const good = options.encodeInfoRequest({ exportName: 'exp-1', types: [3] });
  for (let length = 0; length < good.length; length += 1) t.is(options.parseInfoRequest(good.subarray(0, length)), null);
  t.is(options.parseInfoRequest(Buffer.concat([good, Buffer.alloc(1)])), null);
  const long = Buffer.from(good);
  long.writeUInt32BE(0xffffffff, 0);
  t.is(options.parseInfoRequest(long), null);
});

const size = 1_000_000;
const refusal = test.macro({
  exec(
    t,
    request: { type: number; offset?: bigint; length?: number; flags?: number },
    expected: ErrorValue | null,
    readOnly?: boolean,
    agreed?: Partial<Agreed>,
  ) {
    const whole = { flags: 0, handle: 1n, offset: 0n, length: 0, ...request };
    const terms = { structuredReplies: false, blockStatus: false, ...agreed };
    t.is(refuse(whole, { sizeBytes: size, readOnly: readOnly ?? false }, terms), expected);
  },
  title: (title) => `refuse › ${title}`,
});
const { read, write, flush, trim, cache, writeZeroes: zeroes, blockStatus } = command;
const { EPERM, EINVAL, ENOSPC } = errorValue;
test('takes a read up to the last byte', refusal, { type: read, offset: 999_999n, length: 1 }, null);
test('takes a request of no bytes at the end', refusal, { type: read, offset: 1_000_000n }, null);
test('EINVAL for a read beyond the end', refusal, { type: read, offset: 999_999n, length: 2 }, EINVAL);
test('EINVAL for an offset near 2^64', refusal, { type: read, offset: 0xffffffffffffffffn, length: 1 }, EINVAL);
test('ENOSPC for a write beyond the end', refusal, { type: write, offset: 999_999n, length: 2 }, ENOSPC);
test('ENOSPC for zeros beyond the end', refusal, { type: zeroes, offset: 0n, length: 1_000_001 }, ENOSPC);
test('EINVAL for a trim beyond the end', refusal, { type: trim, offset: 0n, length: 1_000_001 }, EINVAL);
test('EINVAL for a read above 32 MiB', refusal, { type: read, length: 32 * 1024 * 1024 + 1 }, EINVAL);
test('EINVAL for a write above 32 MiB, also on a full range', refusal, { type: write, length: 32 * 1024 * 1024 + 1 }, EINVAL);
test(
  'EPERM for a write to a read-only export, before its range is looked at',
  refusal,
  { type: write, offset: 5_000_000n, length: 9 },
  EPERM,
  true,
);
test('EPERM for a trim of a read-only export', refusal, { type: trim, length: 9 }, EPERM, true);
test('EPERM for zeros in a read-only export', refusal, { type: zeroes, length: 9 }, EPERM, true);
test('takes a flush of a read-only export', refusal, { type: flush }, null, true);
test('EINVAL for a flush with a length', refusal, { type: flush, length: 1 }, EINVAL);
test('EINVAL for a command that is not offered', refusal, { type: 8, length: 1 }, EINVAL);
test('takes a cache request of a read-only export', refusal, { type: cache, length: 1 }, null, true);
test('EINVAL for a cache request beyond the end', refusal, { type: cache, offset: 999_999n, length: 2 }, EINVAL);
test('EINVAL for block status, which was not negotiated', refusal, { type: blockStatus, length: 1 }, EINVAL);
const negotiated = { structuredReplies: true, blockStatus: true };
test('takes block status that was negotiated', refusal, { type: blockStatus, length: 1, flags: 8 }, null, false, negotiated);
test('EINVAL for block status of nothing', refusal, { type: blockStatus }, EINVAL, false, negotiated);
test('EINVAL for block status beyond the end', refusal, { type: blockStatus, offset: 999_999n, length: 2 }, EINVAL, false, negotiated);
test('EINVAL for DF without structured replies', refusal, { type: read, length: 1, flags: 4 }, EINVAL);
test('takes DF on a read with structured replies', refusal, { type: read, length: 1, flags: 4 }, null, false, negotiated);
test('EINVAL for DF on a write', refusal, { type: write, length: 1, flags: 4 }, EINVAL, false, negotiated);
test('EINVAL for NO_HOLE on a write', refusal, { type: write, length: 1, flags: 2 }, EINVAL);
test('takes FAST_ZERO on zeros', refusal, { type: zeroes, length: 1, flags: 16 }, null);
test('EINVAL for FAST_ZERO on a trim', refusal, { type: trim, length: 1, flags: 16 }, EINVAL);
test('takes FUA on any command', refusal, { type: read, length: 1, flags: 1 }, null);

test('errorValueOf › knows full disks by all their names, and says EIO for what the protocol has no name for', (t) => {
  const of = (code: string): number => errorValueOf(Object.assign(new Error(code), { code }));
  t.deepEqual(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EIO', 'ESTALE'].map(of), [28, 28, 28, 1, 1, 5, 5]);
  t.is(errorValueOf('text'), 5);
});

test('ByteReader › gives exact amounts whatever the pieces are, and says when no more comes', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 })), fc.integer({ min: 1, max: 20 }), async (chunks, step) => {
      const all = Buffer.concat(chunks);
      const reader = new ByteReader(
        Readable.from(
          chunks.map((chunk) => Buffer.from(chunk)),
          { objectMode: false },
        ),
      );
      let at = 0;
      for (; at + step <= all.length; at += step) t.deepEqual(await reader.read(step), all.subarray(at, at + step));
      await t.throwsAsync(reader.read(all.length - at + 1), { instanceOf: ConnectionEnded });
    }),
    { numRuns: 50 },
  );
});
