import { stat, truncate } from 'node:fs/promises';
import type { ExecutionContext } from 'ava';
import { MiB } from './nbd-fixture.js';
import { makeServer } from './server-fixture.js';
import { run, withTools } from './tools.js';

const test = withTools('qemu-io');

async function qemuIo(uri: string, commands: readonly string[], more: readonly string[] = []): Promise<string> {
  return (await run('qemu-io', ['-f', 'raw', ...more, ...commands.flatMap((one) => ['-c', one]), uri])).stdout;
}

const patterns = async (t: ExecutionContext, uri: string): Promise<void> => {
  const stdout = await qemuIo(uri, [
    'write -P 0x5a 1M 40M',
    'read -P 0x5a 1M 40M',
    'write -f -P 7 513 1000',
    'read -P 7 513 1000',
    'write -z -u 4M 8M',
    'write -z 20M 4M',
    'write -z -n 24M 1M',
    'read -P 0 4M 8M',
    'read -P 0 20M 5M',
    'discard 30M 4M',
    'flush',
    'read -P 0x5a 1M 3M',
    'read -P 0x5a 25M 5M',
  ]);
  t.notRegex(stdout, /failed|error/i);
  t.is(stdout.match(/^(read|wrote|discard) /gm)?.length, 12);
};

test('qemu-io › verifies its patterns through write, FUA, zeros, fast zeros, discard and flush', async (t) => {
  const { uri, serve } = await makeServer(t);
  await serve('exp-1', 64 * MiB);
  await patterns(t, uri('exp-1'));
});

test('qemu-io › verifies its patterns over a Unix socket', async (t) => {
  const { directory } = await makeServer(t);
  const { uri, serve } = await makeServer(t, { socket: `${directory}/s` });
  await serve('exp-1', 64 * MiB);
  await patterns(t, uri('exp-1'));
});

test('qemu-io › a read-only export is not opened for writing, and takes no write', async (t) => {
  const { uri, serve } = await makeServer(t);
  const { file } = await serve('exp-1', MiB, { access: 'read-only' });
  await t.throwsAsync(qemuIo(uri('exp-1'), ['write -P 1 0 4k']), { message: /read-only|Permission|not permitted/i });
  t.regex(await qemuIo(uri('exp-1'), ['read -P 0 0 1M'], ['-r']), /read 1048576/);
  t.is((await stat(file.path)).blocks, 0);
});

test('a volume that is extended under a client › takes its writes in the added range, and newcomers see the size', async (t) => {
  const { uri, serve } = await makeServer(t);
  const served = await serve('exp-1', 4 * MiB);
  await t.throwsAsync(qemuIo(uri('exp-1'), ['write -P 9 5M 1M']));
  await truncate(served.file.path, 8 * MiB);
  served.growTo(8 * MiB);
  t.notRegex(await qemuIo(uri('exp-1'), ['write -P 9 5M 1M', 'read -P 9 5M 1M', 'read -P 0 6M 2M']), /failed|error/i);
});
