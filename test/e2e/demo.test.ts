import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const demo = fileURLToPath(new URL('index.js', import.meta.resolve('@vbs/demo')));
const demoWithAMismatch = fileURLToPath(new URL('demo-with-a-mismatch.js', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
  /** What the process left in its temporary folder. */
  readonly left: readonly string[];
}

/** Runs a program in a temporary folder of its own to its end; `onOutput` sees all that was printed so far. */
async function run(
  t: ExecutionContext,
  program: string,
  onOutput: (child: ChildProcess, output: string) => void = () => {},
): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'vbs-demo-test-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 90_000,
    killSignal: 'SIGKILL',
  });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      onOutput(child, output);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('close', resolve);
    child.on('error', reject);
  });
  return { code, output, left: await readdir(folder) };
}

test('demo › shows Figures 2 and 3 with real bytes, leaves nothing behind and exits 0', async (t) => {
  const { code, output, left } = await run(t, demo);
  t.is(code, 0, output);
  for (const step of [
    /vm2 reads A's data, then zeros, from xvdb {2}sha256 [0-9a-f]{16}/,
    /vm1 reads B's data, then zeros, from xvdb {2}sha256 [0-9a-f]{16}/,
    /create-snapshot vol-[0-9a-f]{17}/,
    /vm2 reads C's data with its own change from xvdb {2}sha256 [0-9a-f]{16}/,
    /vm1 reads the snapshot's data, unchanged, from xvdc {2}sha256 [0-9a-f]{16}/,
    /no file is left, nothing listens/,
    /\| Figure 3 +\| vm1 reads the snapshot's data, unchanged, from xvdc +\| [0-9a-f]{32} \| yes/,
  ]) {
    t.regex(output, step);
  }
  t.false(output.includes('\u001b'), 'plain where it is no terminal');
  t.deepEqual(left, []);
});

test('demo › exits 1 when a VM reads a wrong bit, says what differs, and leaves nothing behind', async (t) => {
  const { code, output, left } = await run(t, demoWithAMismatch);
  t.is(code, 1, output);
  t.regex(output, /The demo failed: vm2 should read A's data, then zeros, from xvdb: sha256 [0-9a-f]{64}, but read [0-9a-f]{64}\./);
  t.notRegex(output, /Everything was as it should be/);
  t.deepEqual(left, []);
});

test('demo › interrupted in the middle, leaves nothing behind and exits 130', async (t) => {
  let interrupted = false;
  const { code, output, left } = await run(t, demo, (child, printed) => {
    if (interrupted || !printed.includes('attach-volume')) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  t.is(code, 130, output);
  t.regex(output, /Interrupted; everything was cleaned up\./);
  t.deepEqual(left, []);
});
