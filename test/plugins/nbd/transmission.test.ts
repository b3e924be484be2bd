import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeRequest } from '@vbs/plugin-nbd/internal/protocol/requests.js';
import test from 'ava';
import { call, exportRequest, KiB, MiB, makeFile, makeFixture, pattern } from './nbd-fixture.js';
import { RawClient } from './raw-client.js';

const cmd = { read: 0, write: 1, disc: 2, flush: 3, trim: 4, zeroes: 6 };
const EPERM = 1;
const EINVAL = 22;
const ENOSPC = 28;

test('read and write › carry the same bytes at any offset and length, into the file and back', async (t) => {
  const { make, connect } = await makeFixture(t);
  const { volume } = await make('exp-1', 80 * MiB);
  const client = await connect('exp-1');
  const extents: readonly (readonly [number, number])[] = [
    [0, 1],
    [511, 3],
    [4096, 4096],
    [1 * MiB, MiB],
    [3 * MiB + 7, MiB + 1],
    [10 * MiB + 1, 40 * MiB],
    [80 * MiB - 5, 5],
  ];
  for (const [offset, length] of extents) await client.write(offset, pattern(offset, length));
  for (const [offset, length] of extents)
    t.true((await client.read(offset, length)).equals(pattern(offset, length)), `${length} at ${offset}`);
  await client.flush();
  const file = await readFile(volume.locator.path);
  for (const [offset, length] of extents) t.true(file.subarray(offset, offset + length).equals(pattern(offset, length)));
  t.true(
    file.subarray(60 * MiB, 79 * MiB).every((byte) => byte === 0),
    'nothing else was written',
  );
});

test('read and write › of 32 MiB in one request are served', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 40 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  const data = pattern(5, 32 * MiB);
  client.request(cmd.write, 1, 32 * MiB, { data, flags: 1 });
  t.is((await client.reply()).error, 0);
  client.request(cmd.read, 1, 32 * MiB);
  t.is((await client.reply()).error, 0);
  t.true((await client.read(32 * MiB)).equals(data));
});

test('a request above 32 MiB › is EINVAL, its data is thrown away, and the connection goes on', async (t) => {
  const { port, make } = await makeFixture(t);
  const { volume } = await make('exp-1', 64 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  client.request(cmd.write, 0, 33 * MiB, { data: Buffer.alloc(33 * MiB, 0x77), handle: 7n });
  t.deepEqual(await client.reply(), { error: EINVAL, handle: 7n });
  client.request(cmd.read, 0, 33 * MiB, { handle: 8n });
  t.deepEqual(await client.reply(), { error: EINVAL, handle: 8n });
  client.request(cmd.read, 0, 1, { handle: 9n });
  t.deepEqual(await client.reply(), { error: 0, handle: 9n });
  t.is((await stat(volume.locator.path)).blocks, 0);
});

test('requests › run side by side and are answered each by its handle', async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 4 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  const writes = Array.from({ length: 200 }, (_, index) =>
    Buffer.concat([
      encodeRequest({ type: cmd.write, flags: 0, handle: BigInt(index), offset: BigInt(index * 4096), length: 4096 }),
      pattern(index, 4096),
    ]),
  );
  client.send(Buffer.concat(writes));
  const handles = new Set<bigint>();
  for (let count = 0; count < 200; count += 1) {
    const { error, handle } = await client.reply();
    t.is(error, 0);
    handles.add(handle);
  }
  t.is(handles.size, 200);
  client.request(cmd.read, 199 * 4096, 4096);
  t.is((await client.reply()).error, 0);
  t.true((await client.read(4096)).equals(pattern(199, 4096)));
});

test('NBD_CMD_DISC › lets what is in flight end, and then closes', async (t) => {
  const { port, make } = await makeFixture(t);
  const { volume } = await make('exp-1', 4 * MiB);
  const client = await RawClient.enter(t, port, 'exp-1');
  for (let index = 0; index < 4; index += 1)
    client.request(cmd.write, index * MiB, MiB, { data: pattern(index, MiB), handle: BigInt(index) });
  client.request(cmd.disc, 0, 0);
  const handles = [];
  for (let index = 0; index < 4; index += 1) handles.push((await client.reply()).handle);
  t.deepEqual(handles.sort(), [0n, 1n, 2n, 3n]);
  t.true(await client.isDropped());
  t.true((await readFile(volume.locator.path)).equals(Buffer.concat([0, 1, 2, 3].map((index) => pattern(index, MiB)))));
});

test('flush and FUA › are answered for every command that may carry it', async (t) => {
  const { make, connect } = await makeFixture(t);
  await make('exp-1', MiB);
  const client = await connect('exp-1');
  await client.write(0, pattern(1, 4096), { fua: true });
  await client.writeZeroes(0, 512, { fua: true });
  await client.trim(4096, 4096, { fua: true });
  await Promise.all([client.flush(), client.flush(), client.write(8192, pattern(2, 512)), client.flush()]);
  t.true((await client.read(0, 4096)).equals(Buffer.concat([Buffer.alloc(512), pattern(1, 4096).subarray(512)])));
});

test('trim and writeZeroes › give the room back: the file’s blocks go down, and zeros are read', async (t) => {
  const { make, connect } = await makeFixture(t);
  const { volume } = await make('exp-1', 8 * MiB);
  const blocks = async (): Promise<number> => (await stat(volume.locator.path)).blocks * 512;
  const client = await connect('exp-1');
  await client.write(0, pattern(1, 8 * MiB), { fua: true });
  const full = await blocks();
  await client.trim(0, 2 * MiB);
  const trimmed = await blocks();
  t.true(trimmed <= full - 2 * MiB, `${full} → ${trimmed}`);
  await client.writeZeroes(2 * MiB, 2 * MiB);
  const zeroed = await blocks();
  t.true(zeroed <= trimmed - 2 * MiB, `${trimmed} → ${zeroed}`);
  await client.writeZeroes(4 * MiB, 2 * MiB, { noHole: true });
  t.true((await blocks()) >= zeroed, 'NO_HOLE keeps the room');
  await client.writeZeroes(6 * MiB + 1, 1);
  const after = await client.read(0, 8 * MiB);
  t.true(after.subarray(0, 6 * MiB).every((byte) => byte === 0));
  const expected = pattern(1, 8 * MiB).subarray(6 * MiB);
  expected[1] = 0;
  t.true(after.subarray(6 * MiB).equals(expected));
});

const raw = test.macro({
  async exec(t, type: number, offset: number, length: number, expected: number, access?: 'read-only' | 'read-write', flags?: number) {
    const { port, make } = await makeFixture(t);
    const { volume } = await make('exp-1', MiB, access ?? 'read-write');
    const client = await RawClient.enter(t, port, 'exp-1');
    client.request(type, offset, length, {
      data: type === cmd.write ? Buffer.alloc(length, 1) : Buffer.alloc(0),
      handle: 3n,
      flags: flags ?? 0,
    });
    t.deepEqual(await client.reply(), { error: expected, handle: 3n });
    client.request(cmd.read, MiB - 16, 16, { handle: 4n });
    t.deepEqual(await client.reply(), { error: 0, handle: 4n });
    t.true((await client.read(16)).equals(Buffer.alloc(16)));
    t.is((await stat(volume.locator.path)).blocks, 0, 'nothing was written');
    t.is((await stat(volume.locator.path)).size, MiB);
  },
  title: (title) => `transmission › ${title}; the connection goes on and nothing is written`,
});
test('EPERM for a write to a read-only export', raw, cmd.write, 0, 4096, EPERM, 'read-only');
test('EPERM for a trim of a read-only export', raw, cmd.trim, 0, 4096, EPERM, 'read-only');
test('EPERM for zeros in a read-only export', raw, cmd.zeroes, 0, 4096, EPERM, 'read-only');
test('ENOSPC for a write that ends beyond the end', raw, cmd.write, MiB - 4, 8, ENOSPC);
test('ENOSPC for zeros that end beyond the end', raw, cmd.zeroes, MiB - 4, 8, ENOSPC);
test('EINVAL for a read that ends beyond the end', raw, cmd.read, MiB - 4, 8, EINVAL);
test('EINVAL for a trim that ends beyond the end', raw, cmd.trim, MiB - 4, 8, EINVAL);
test('EINVAL for an unknown command', raw, 77, 0, 0, EINVAL);
test('EINVAL for an unknown flag on a write', raw, cmd.write, 0, 512, EINVAL, 'read-write', 0x80);

const dropped = test.macro({
  async exec(t, bytes: Buffer, half: 'end' | 'keep' = 'keep') {
    const { port, make, connect } = await makeFixture(t, { stallTimeLimitMs: 300 });
    const { volume } = await make('exp-1', 4 * MiB);
    await make('exp-2', MiB);
    const neighbour = await connect('exp-2');
    const client = await RawClient.enter(t, port, 'exp-1');
    client.send(bytes);
    if (half === 'end') client.socket.end();
    t.true(await client.isDropped(3_000));
    await neighbour.write(0, Buffer.from('still here'));
    t.is((await neighbour.read(0, 10)).toString(), 'still here');
    t.is((await stat(volume.locator.path)).blocks, 0, 'half a write of a piece writes nothing');
    t.is((await (await connect('exp-1')).read(0, 4096)).length, 4096);
  },
  title: (title) => `transmission › drops ${title}; neighbours and newcomers are served`,
});
const header = (type: number, length: number): Buffer => encodeRequest({ type, flags: 0, handle: 1n, offset: 0n, length });
test('zeros in place of a request', dropped, Buffer.alloc(28));
test('text in place of a request', dropped, Buffer.from('x'.repeat(100)));
test('a reply in place of a request', dropped, Buffer.from(`67446698${'00'.repeat(24)}`, 'hex'));
test('half a request and an end', dropped, header(cmd.read, 512).subarray(0, 13), 'end');
test('half a request and silence', dropped, header(cmd.read, 512).subarray(0, 13));
test('a write without data and an end', dropped, header(cmd.write, MiB), 'end');
test('half a write’s data and an end', dropped, Buffer.concat([header(cmd.write, MiB), Buffer.alloc(512 * KiB, 1)]), 'end');
test('half a write’s data and silence', dropped, Buffer.concat([header(cmd.write, MiB), Buffer.alloc(512 * KiB, 1)]));
test('half of the data of a refused write and silence', dropped, Buffer.concat([header(cmd.write, 40 * MiB), Buffer.alloc(KiB)]));

test('a client killed in the middle of a write › leaves what it had written before, and the next one in', async (t) => {
  const { port, make, connect, exporter } = await makeFixture(t);
  await make('exp-1', 8 * MiB);
  const killed = await RawClient.enter(t, port, 'exp-1');
  killed.request(cmd.write, 0, 4096, { data: pattern(1, 4096) });
  t.is((await killed.reply()).error, 0);
  killed.request(cmd.write, MiB, MiB, { data: pattern(2, 300 * KiB) });
  await new Promise((resolve) => setTimeout(resolve, 50));
  killed.socket.resetAndDestroy();
  const next = await connect('exp-1');
  t.true((await next.read(0, 4096)).equals(pattern(1, 4096)));
  t.true((await next.read(MiB, MiB)).equals(Buffer.alloc(MiB)), 'a write of one piece comes whole or not at all');
  await next.disconnect();
  await exporter.deleteExport(call(), { exportId: 'exp-1' });
});

test('an idle connection › is kept beyond the stall limit', async (t) => {
  const { make, connect } = await makeFixture(t, { stallTimeLimitMs: 100 });
  await make('exp-1', MiB);
  const client = await connect('exp-1');
  await new Promise((resolve) => setTimeout(resolve, 400));
  t.is((await client.read(0, 512)).length, 512);
});

test('a file that was truncated behind our back › is EIO, not zeros', async (t) => {
  const { make, connect, log } = await makeFixture(t);
  const { volume } = await make('exp-1', 4 * MiB);
  const client = await connect('exp-1');
  await truncate(volume.locator.path, MiB);
  await t.throwsAsync(client.read(2 * MiB, 4096), { code: 'INTERNAL' });
  t.true(log.some(({ level }) => level === 'error'));
  t.is((await client.read(0, 512)).length, 512);
});

/** A file system of 2 MiB, or the reason why there is none. */
const small = ((): { readonly path: string } | { readonly reason: string } => {
  const path = mkdtempSync(join(tmpdir(), 'vbs-nbd-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'vbs-nbd-test', path], { stdio: 'ignore', timeout: 5_000 });
    return { path };
  } catch {
    rmSync(path, { recursive: true });
    return { reason: 'a small tmpfs cannot be mounted' };
  }
})();
if ('path' in small) {
  test.after.always(() => {
    execFileSync('umount', [small.path], { stdio: 'ignore', timeout: 5_000 });
    rmSync(small.path, { recursive: true });
  });
}
const onSmall = 'path' in small ? test.serial : test.serial.skip;
const why = 'reason' in small ? ` (skipped: ${small.reason})` : '';
const smallPath = (name: string): string => join('path' in small ? small.path : '', name);

onSmall(`a full disk › is ENOSPC for write and zeros with NO_HOLE, and the connection goes on${why}`, async (t) => {
  const { exporter, connect } = await makeFixture(t);
  const path = await makeFile(smallPath('full'), 16 * MiB);
  await exporter.createExport(call(), exportRequest('exp-1', path, 16 * MiB));
  const client = await connect('exp-1');
  await t.throwsAsync(client.write(0, pattern(1, 4 * MiB)), { code: 'RESOURCE_EXHAUSTED' });
  await t.throwsAsync(client.write(8 * MiB, pattern(1, 512 * KiB)), { code: 'RESOURCE_EXHAUSTED' });
  await t.throwsAsync(client.writeZeroes(8 * MiB, 4 * MiB, { noHole: true }), { code: 'RESOURCE_EXHAUSTED' });
  await client.trim(0, 16 * MiB);
  await client.write(8 * MiB, pattern(1, 512 * KiB));
  t.true((await client.read(8 * MiB, 512 * KiB)).equals(pattern(1, 512 * KiB)));
});

onSmall(`writeZeroes with NO_HOLE › writes real zeros where the file system cannot zero a range, and says so once${why}`, async (t) => {
  const { exporter, connect, log } = await makeFixture(t);
  const path = await makeFile(smallPath('zeros'), 512 * KiB);
  await exporter.createExport(call(), exportRequest('exp-1', path, 512 * KiB));
  const client = await connect('exp-1');
  await client.write(0, pattern(1, 512 * KiB));
  await client.writeZeroes(1, 200 * KiB, { noHole: true });
  await client.writeZeroes(300 * KiB, 10, { noHole: true });
  const expected = pattern(1, 512 * KiB);
  expected.fill(0, 1, 1 + 200 * KiB);
  expected.fill(0, 300 * KiB, 300 * KiB + 10);
  t.true((await client.read(0, 512 * KiB)).equals(expected));
  t.is(log.filter(({ level, message }) => level === 'warn' && message.includes('zero a range')).length, 1);
});
