import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Lab } from '@vbs/lab';
import { guestsIn } from '@vbs/lab/internal/qemu/leftovers.js';
import test, { type ExecutionContext } from 'ava';

const cli = fileURLToPath(import.meta.resolve('@vbs/lab/internal/cli.js'));

/** A cache of its own, with nothing in it. */
async function emptyCache(t: ExecutionContext): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), 'vbs-lab-cache-'));
  t.teardown(async () => {
    await run(cache, ['down']);
    await rm(cache, { recursive: true, force: true });
  });
  return cache;
}

function start(cache: string, words: readonly string[]): ChildProcess {
  const environment = { ...process.env, XDG_CACHE_HOME: cache, VBS_LAB: 'default' };
  return spawn(process.execPath, [cli, ...words], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function run(cache: string, words: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = start(cache, words);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += chunk));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, said };
}

/** Kills a start when it has said something. */
async function killedAt(cache: string, words: readonly string[], line: RegExp): Promise<void> {
  const child = start(cache, words);
  const ended = new Promise((resolve) => child.once('close', resolve));
  if (child.stderr === null) throw new Error('no stderr');
  for await (const said of createInterface({ input: child.stderr }))
    if (line.test(said)) {
      child.kill('SIGKILL');
      break;
    }
  await ended;
}

test('a build that was killed half way is cleaned by the next start, which ends with a lab; down leaves nothing', async (t) => {
  t.timeout(280_000);
  const cache = await emptyCache(t);
  const lab = join(cache, 'vbs-lab');
  await killedAt(cache, ['up', '--guests', 'vs1'], /image written/);
  t.true((await readdir(lab)).some((name) => name.startsWith('building-')));
  const up = await run(cache, ['up', '--guests', 'vs1']);
  t.is(up.code, 0, up.said);
  const names = await readdir(lab);
  t.false(names.some((name) => name.startsWith('building-')));
  t.is(names.filter((name) => /^[0-9a-f]{16}$/.test(name)).length, 1);
  t.is((await guestsIn(lab)).length, 1);
  t.regex((await run(cache, ['status'])).said, /vs1 .* up, pid \d+/);
  t.is((await run(cache, ['shell', 'vs1', 'hostname'])).said, 'vs1\n');

  const again = await run(cache, ['up', '--guests', 'vs1']);
  t.regex(again.said, /up already/);
  const none = ['test', '--match', 'no test has this title'];
  t.is((await run(cache, none)).code, 1);
  t.is((await guestsIn(lab)).length, 1, 'what was up stays up');
  for (const { pid } of await guestsIn(lab)) process.kill(pid, 'SIGKILL');
  t.is((await run(cache, none)).code, 1);
  t.deepEqual(await guestsIn(lab), [], 'what was down is taken down again');
  t.is((await run(cache, ['up', '--guests', 'vs1'])).code, 0);
  t.is((await run(cache, ['down'])).code, 0);
  t.deepEqual(await guestsIn(lab), []);
  t.regex((await run(cache, ['status'])).said, /no lab is up/);
  t.is((await run(cache, ['shell', 'vs1', 'hostname'])).code, 1);
});

test('a lab whose process was killed is ended: its guests die with it, and the next start removes the rest', async (t) => {
  const program = `
    import { Lab } from ${JSON.stringify(import.meta.resolve('@vbs/lab'))};
    const lab = await Lab.up({ guests: ['vs1'] });
    process.stdout.write(lab.configFile + '\\n');
    setInterval(() => undefined, 1_000);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, VBS_LAB: 'none-of-this-name' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => owner.kill('SIGKILL'));
  const line = await new Promise<string>((resolve) => createInterface({ input: owner.stdout }).once('line', resolve));
  const lab = dirname(line);
  t.is((await guestsIn(lab)).length, 1);
  const ended = new Promise((resolve) => owner.once('close', resolve));
  owner.kill('SIGKILL');
  await ended;
  for (const deadline = Date.now() + 20_000; (await guestsIn(lab)).length > 0 && Date.now() < deadline; await pause(50));
  t.deepEqual(await guestsIn(lab), []);
  t.true(existsSync(lab));
  const next = await Lab.up({ guests: ['vs1'] });
  t.teardown(() => next.close());
  t.false(existsSync(lab));
});
