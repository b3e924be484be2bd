import { open } from 'node:fs/promises';
import { KiB, MiB, pattern } from './nbd-fixture.js';
import { makeServer } from './server-fixture.js';
import { run, withTools } from './tools.js';

const GiB = 1024 * MiB;

const test = withTools('nbdinfo');
test('nbdinfo › lists every export and tells sizes from 1 byte to 10 GiB, and what each can', async (t) => {
  const { port, serve } = await makeServer(t);
  const sizes = { 'exp-byte': 1, 'exp-odd': 1_000_003, 'exp-mib': MiB, 'exp-large': 10 * GiB };
  for (const [name, size] of Object.entries(sizes)) await serve(name, size);
  await serve('exp-ro', 7 * MiB, { access: 'read-only' });
  const { stdout } = await run('nbdinfo', ['--json', '--list', `nbd://127.0.0.1:${port}`]);
  const exports = JSON.parse(stdout).exports as Record<string, unknown>[];
  t.is(exports.length, 5);
  const of = (name: string) => exports.find((one) => one['export-name'] === name);
  const able = {
    can_trim: true,
    can_zero: true,
    can_fast_zero: true,
    can_fua: true,
    can_flush: true,
    can_multi_conn: true,
    can_cache: true,
  };
  for (const [name, size] of Object.entries(sizes)) {
    t.like(of(name), { ...able, 'export-size': size, is_read_only: false, can_df: true, contexts: ['base:allocation'] }, name);
  }
  t.like(of('exp-ro'), { 'export-size': 7 * MiB, is_read_only: true, can_trim: false, can_zero: false, block_size_maximum: 32 * MiB });
  for (const [name, size] of Object.entries(sizes)) {
    t.is((await run('nbdinfo', ['--size', `nbd://127.0.0.1:${port}/${name}`])).stdout.trim(), String(size));
  }
});

test('nbdinfo › maps data and holes of a sparse file', async (t) => {
  const { uri, serve } = await makeServer(t);
  const { file } = await serve('exp-1', 64 * MiB);
  const handle = await open(file.path, 'r+');
  await handle.write(pattern(1, MiB), 0, MiB, 3 * MiB);
  await handle.write(pattern(1, 64 * KiB), 0, 64 * KiB, 40 * MiB);
  await handle.sync();
  await handle.close();
  const { stdout } = await run('nbdinfo', ['--json', '--map=base:allocation', uri('exp-1')]);
  t.deepEqual(
    (JSON.parse(stdout) as { offset: number; length: number; type: number }[]).map(({ offset, length, type }) => [offset, length, type]),
    [
      [0, 3 * MiB, 3],
      [3 * MiB, MiB, 0],
      [4 * MiB, 36 * MiB, 3],
      [40 * MiB, 64 * KiB, 0],
      [40 * MiB + 64 * KiB, 24 * MiB - 64 * KiB, 3],
    ],
  );
});

test('nbdinfo › an unknown export is refused by name, and over a Unix socket all is the same', async (t) => {
  const { serve, uri, directory } = await makeServer(t);
  await serve('exp-1', MiB);
  await t.throwsAsync(run('nbdinfo', [uri('exp-9')]), { message: /exp-9|no such export/i });
  const unix = await makeServer(t, { socket: `${directory}/s` });
  await unix.serve('exp-2', 3 * MiB);
  t.is((await run('nbdinfo', ['--size', unix.uri('exp-2')])).stdout.trim(), String(3 * MiB));
});
