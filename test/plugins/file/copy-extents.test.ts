import { access, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { copyExtents } from '@vbs/plugin-file/internal/copy-extents.js';
import test, { type ExecutionContext } from 'ava';
import { MiB, sameBytes, someBytes } from '../../support/store.js';

/** A file system in memory, which takes no copy within the kernel from another one. */
const inMemory = '/dev/shm';
const otherFileSystem = await access(inMemory).then(
  () => inMemory,
  () => null,
);

async function folder(t: ExecutionContext, parent: string): Promise<string> {
  const directory = await mkdtemp(join(parent, 'vbs-copy-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** 40 MiB: data, a hole of 20 MiB, and data that ends in the middle of a page. */
async function sparseSource(t: ExecutionContext): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const path = join(await folder(t, tmpdir()), 'source');
  const bytes = Buffer.alloc(40 * MiB - 777);
  someBytes(9 * MiB + 5).copy(bytes, 0);
  someBytes(11 * MiB - 777).copy(bytes, 29 * MiB);
  const file = await open(path, 'wx');
  await file.write(bytes, 0, 9 * MiB + 5, 0);
  await file.write(bytes, 29 * MiB, 11 * MiB - 777, 29 * MiB);
  await file.close();
  return { path, bytes };
}

const copies = test.macro({
  title: (_, where: string) => `copyExtents › ${where}: every byte arrives, and the hole stays one`,
  async exec(t: ExecutionContext, _where: string, parent: string) {
    const { path, bytes } = await sparseSource(t);
    await using source = await open(path, 'r');
    await using target = await open(join(await folder(t, parent), 'target'), 'wx+');
    await target.truncate(bytes.length);
    const durable: number[] = [];
    const signal = new AbortController().signal;
    await copyExtents(source, target, { fromBytes: 0, sizeBytes: bytes.length, signal, onDurable: (done) => durable.push(done) });
    sameBytes(t, (await target.read(Buffer.alloc(bytes.length + 1), 0, bytes.length + 1, 0)).buffer.subarray(0, bytes.length), bytes);
    t.is((await target.stat()).size, bytes.length);
    t.true((await target.stat()).blocks * 512 < 22 * MiB);
    t.is(durable.at(-1), bytes.length);
    t.deepEqual(
      durable,
      [...durable].sort((one, other) => one - other),
    );
  },
});

test(copies, 'within one file system', tmpdir());
if (otherFileSystem === null) test.skip(`copyExtents › into another file system (${inMemory} is not there)`, () => undefined);
else test(copies, 'into another file system, which the kernel refuses', otherFileSystem);

test('copyExtents › goes on from where it was, and leaves what is below untouched', async (t) => {
  const { path, bytes } = await sparseSource(t);
  await using source = await open(path, 'r');
  await using target = await open(join(await folder(t, tmpdir()), 'target'), 'wx+');
  await target.truncate(bytes.length);
  await copyExtents(source, target, {
    fromBytes: 30 * MiB,
    sizeBytes: bytes.length,
    signal: new AbortController().signal,
    onDurable: () => undefined,
  });
  const { buffer } = await target.read(Buffer.alloc(bytes.length), 0, bytes.length, 0);
  t.true(buffer.subarray(0, 30 * MiB).equals(Buffer.alloc(30 * MiB)));
  sameBytes(t, buffer.subarray(30 * MiB), bytes.subarray(30 * MiB));
});
