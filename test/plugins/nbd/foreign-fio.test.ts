import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { MiB, until } from './nbd-fixture.js';
import { makeServer } from './server-fixture.js';
import { run, withTools } from './tools.js';

const test = withTools('fio');

function fio(uri: string, ...given: readonly string[]): readonly string[] {
  return ['--name=job', '--ioengine=nbd', `--uri=${uri}`, '--output-format=json', '--randseed=7', '--verify_state_save=0', ...given];
}

async function errorsOf(given: readonly string[]): Promise<readonly number[]> {
  const { stdout } = await run('fio', given);
  return (JSON.parse(stdout.slice(stdout.indexOf('{'))).jobs as { error: number }[]).map(({ error }) => error);
}

for (const [kind, more] of [
  ['random 4 KiB blocks, 16 deep', ['--rw=randwrite', '--bs=4k', '--iodepth=16', '--size=8m']],
  ['blocks of 64 KiB in a row, 4 deep', ['--rw=write', '--bs=64k', '--iodepth=4', '--size=32m']],
  ['blocks of 1 to 300 KiB', ['--rw=randwrite', '--bsrange=1k-300k', '--bs_unaligned=1', '--iodepth=8', '--size=32m']],
] as const) {
  test(`fio › writes ${kind}, and verifies every one`, async (t) => {
    const { uri, serve } = await makeServer(t);
    await serve('exp-1', 32 * MiB);
    t.deepEqual(await errorsOf(fio(uri('exp-1'), ...more, '--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--end_fsync=1')), [0]);
  });
}

test('fio › 16 clients at once on one export, each its own range, all verified', async (t) => {
  const { uri, serve } = await makeServer(t);
  const served = await serve('exp-1', 64 * MiB);
  const many = ['--numjobs=16', '--size=4m', '--offset_increment=4m', '--rw=randwrite', '--bs=16k', '--iodepth=8'];
  t.deepEqual(await errorsOf(fio(uri('exp-1'), ...many, '--verify=crc32c', '--do_verify=1', '--verify_fatal=1')), new Array(16).fill(0));
  await until(() => served.sessions.length === 0);
});

test('a client killed in the middle of its writes › leaves server and other clients at work, and its export can go', async (t) => {
  const { uri, serve, server, log } = await makeServer(t);
  const [killed, other] = [await serve('exp-1', 64 * MiB), await serve('exp-2', 16 * MiB)];
  const endless = ['--rw=randwrite', '--bs=256k', '--iodepth=16', '--size=64m', '--time_based', '--runtime=60'];
  const child = spawn('fio', fio(uri('exp-1'), ...endless, '--thread'), { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  await until(() => killed.sessions.length > 0, 20_000);
  const verified = errorsOf(
    fio(uri('exp-2'), '--rw=randwrite', '--bs=4k', '--iodepth=8', '--size=16m', '--verify=crc32c', '--do_verify=1'),
  );
  await until(() => other.sessions.length > 0, 20_000);
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  await until(() => killed.sessions.length === 0);
  await killed.file.close();
  t.deepEqual(await verified, [0]);
  t.true(server.isListening);
  t.false(log.some(({ level }) => level === 'error'));
});
