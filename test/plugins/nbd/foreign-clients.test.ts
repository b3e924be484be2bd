import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { MiB, makeFixture, pattern } from './nbd-fixture.js';

const run = promisify(execFile);
const limit = { timeout: 30_000 };

function installed(tool: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, tool)));
}

function withTool(tool: string): {
  readonly test: (title: string, body: (t: ExecutionContext) => Promise<void>) => void;
  readonly why: string;
} {
  return installed(tool) ? { test, why: '' } : { test: test.skip, why: ` (skipped: ${tool} is not installed)` };
}

const nbdinfo = withTool('nbdinfo');
nbdinfo.test(`nbdinfo › lists every export and tells its size and flags${nbdinfo.why}`, async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 5 * MiB);
  await make('exp-2', 7 * MiB, 'read-only');
  const { stdout } = await run('nbdinfo', ['--json', '--list', `nbd://127.0.0.1:${port}`], limit);
  const exports = JSON.parse(stdout).exports as Record<string, unknown>[];
  t.like(
    exports.find((one) => one['export-name'] === 'exp-1'),
    { 'export-size': 5 * MiB, is_read_only: false, can_trim: true, can_multi_conn: true },
  );
  t.like(
    exports.find((one) => one['export-name'] === 'exp-2'),
    { 'export-size': 7 * MiB, is_read_only: true, block_size_maximum: 32 * MiB },
  );
  t.is((await run('nbdinfo', ['--size', `nbd://127.0.0.1:${port}/exp-1`], limit)).stdout.trim(), String(5 * MiB));
});

const nbdcopy = withTool('nbdcopy');
nbdcopy.test(`nbdcopy › over several connections carries an image in and out unchanged${nbdcopy.why}`, async (t) => {
  const { port, make, directory } = await makeFixture(t);
  const { volume } = await make('exp-1', 32 * MiB);
  const image = Buffer.concat([pattern(1, 20 * MiB), Buffer.alloc(12 * MiB)]);
  const [into, out] = [join(directory, 'in.img'), join(directory, 'out.img')];
  await writeFile(into, image);
  await run('nbdcopy', ['--flush', into, `nbd://127.0.0.1:${port}/exp-1`], limit);
  t.true((await readFile(volume.locator.path)).equals(image));
  await run('nbdcopy', [`nbd://127.0.0.1:${port}/exp-1`, out], limit);
  t.true((await readFile(out)).equals(image));
});

const qemu = withTool('qemu-io');
qemu.test(`qemu-io › verifies its patterns through write, FUA, zeros, discard and flush${qemu.why}`, async (t) => {
  const { port, make } = await makeFixture(t);
  await make('exp-1', 64 * MiB);
  const commands = [
    'write -P 0x5a 1M 40M',
    'read -P 0x5a 1M 40M',
    'write -f -P 7 513 1000',
    'read -P 7 513 1000',
    'write -z -u 4M 8M',
    'write -z 20M 4M',
    'read -P 0 4M 8M',
    'read -P 0 20M 4M',
    'discard 30M 4M',
    'flush',
    'read -P 0x5a 1M 3M',
  ];
  const { stdout } = await run('qemu-io', ['-f', 'raw', ...commands.flatMap((one) => ['-c', one]), `nbd://127.0.0.1:${port}/exp-1`], limit);
  t.notRegex(stdout, /failed|error/i);
  t.is(stdout.match(/^(read|wrote|discard) /gm)?.length, 10);
});
