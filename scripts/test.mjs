/**
 * Runs the tests that were built, and counts them itself: ava's TAP stream can break off (a global time-out, `process.exit()` in
 * a test), which must not look like success. The last line is `N passed, N failed`, with `, N skipped` when there are any.
 *
 *   npm test -- [test/core/example.test.ts ...] [--match '*title*'] [any other option of ava]
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { TapCount } from './test/tap-count.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** A test's source, as a person names it, is the file that was emitted from it. */
const args = process.argv
  .slice(2)
  .map((word) =>
    /^(\.\/)?test\/.*\.ts$/.test(word) ? word.replace(/^(\.\/)?test\/(?!dist\/)/, 'test/dist/').replace(/\.ts$/, '.js') : word,
  );

const started = Date.now();
const ava = spawn(process.execPath, [join(root, 'node_modules/ava/entrypoints/cli.mjs'), '--tap', ...args], {
  cwd: root,
  env: { ...process.env, NODE_ENV: 'test' },
  stdio: ['ignore', 'pipe', 'pipe'],
});
ava.stderr.pipe(process.stdout);
const count = new TapCount();
for await (const line of createInterface({ input: ava.stdout })) {
  const shown = count.read(line);
  if (shown !== undefined) process.stdout.write(`${shown}\n`);
}
const exit = await new Promise((resolve) => {
  if (ava.exitCode !== null || ava.signalCode !== null) resolve(ava.signalCode ?? ava.exitCode);
  else ava.once('close', (code, signal) => resolve(signal ?? code));
});

const fault = count.fault(exit);
const failed = count.failures.length + (fault === undefined ? 0 : 1);
process.stdout.write('\n');
for (const title of count.failures) process.stdout.write(`FAILED  ${title}\n`);
if (fault !== undefined) process.stdout.write(`FAILED  ${fault}\n`);
if (count.todo > 0) process.stdout.write(`${count.todo} to do\n`);
process.stdout.write(`${((Date.now() - started) / 1000).toFixed(1)} s\n`);
process.stdout.write(`${count.passed} passed, ${failed} failed${count.skipped > 0 ? `, ${count.skipped} skipped` : ''}\n`);
process.exitCode = failed > 0 ? 1 : 0;
