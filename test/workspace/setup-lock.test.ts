import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';

const lock = new URL('../../../scripts/setup/lock.mjs', import.meta.url).href;

async function checkout(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-setup-lock-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

/** A process that takes the checkout's lock, says `held`, and gives it back when its standard input ends. */
function holder(t: ExecutionContext, directory: string): { child: ChildProcess; lines: AsyncIterator<string>; end(): void } {
  const script = `
    import { withLock } from ${JSON.stringify(lock)};
    await withLock(${JSON.stringify(directory)}, async () => {
      console.log('held');
      for await (const _ of process.stdin);
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](), end: () => child.stdin.end() };
}

async function next(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  return done === true ? '(ended)' : value;
}

test('set-up lock › a second set-up of the same checkout names the first, waits, and goes on when it ends', async (t) => {
  t.timeout(20_000);
  const directory = await checkout(t);
  const first = holder(t, directory);
  t.is(await next(first.lines), 'held');
  const second = holder(t, directory);
  t.regex(await next(second.lines), new RegExp(`process ${first.child.pid}\\); waiting`));
  first.end();
  t.is(await next(second.lines), 'held');
});

test('set-up lock › a set-up that was killed leaves no lock behind', async (t) => {
  t.timeout(20_000);
  const directory = await checkout(t);
  const first = holder(t, directory);
  t.is(await next(first.lines), 'held');
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  t.is(await next(holder(t, directory).lines), 'held');
});

test('set-up lock › two checkouts do not wait for each other', async (t) => {
  t.timeout(20_000);
  const first = holder(t, await checkout(t));
  t.is(await next(first.lines), 'held');
  t.is(await next(holder(t, await checkout(t)).lines), 'held');
});
