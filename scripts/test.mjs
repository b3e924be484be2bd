/**
 * Runs the tests that were built, and counts them itself: ava's TAP stream can break off (a global time-out, `process.exit()` in
 * a test), which must not look like success. The last line is `N passed, N failed`, with `, N skipped` when there are any.
 *
 *   npm test -- [test/core/example.test.ts ...] [--match '*title*'] [any other option of ava]
 *
 * A file that failed beside the others is run once more, alone: on a small machine a test may have waited for its turn longer than it
 * allows. What passes then is counted as passed and told as `UNSTEADY`, with what it had said; more than a few files are no matter of
 * load, and fail.
 *
 * VBS_TEST_REPORT=FILE  the titles that passed are written there, as a JSON array
 */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fileOf } from './test/file-of.mjs';
import { TapCount } from './test/tap-count.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const preload = new URL('test/whole-tap.mjs', import.meta.url).href;
const mostFilesAgain = 5;
const mostLinesTold = 40;

/** A test's source, as a person names it, is the file that was emitted from it. */
const args = process.argv
  .slice(2)
  .map((word) =>
    /^(\.\/)?test\/.*\.ts$/.test(word) ? word.replace(/^(\.\/)?test\/(?!dist\/)/, 'test/dist/').replace(/\.ts$/, '.js') : word,
  );

/** Runs ava to its end; answers what it counted, and how it ended. */
async function run(words) {
  const ava = spawn(process.execPath, ['--import', preload, join(root, 'node_modules/ava/entrypoints/cli.mjs'), '--tap', ...words], {
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
  return { count, fault: count.fault(exit) };
}

/** Of these failures, those that pass when their files are run alone; `folder` is what all files have in common beyond test/dist. */
async function steadyAlone(titles, options, folder) {
  const files = new Map();
  for (const title of titles) {
    const found = fileOf(folder === undefined ? title : `${folder} › ${title}`, (file) => existsSync(join(root, file)));
    if (found === undefined) return [];
    files.set(found.file, [...(files.get(found.file) ?? []), { title, bare: found.bare }]);
  }
  if (files.size > mostFilesAgain) return [];
  const passed = [];
  for (const [file, failures] of files) {
    process.stdout.write(`\nagain, alone: ${file}\n`);
    const { count, fault } = await run([...options, '--concurrency', '1', file]);
    if (fault === undefined) passed.push(...failures.filter(({ bare }) => count.passes.includes(bare)).map(({ title }) => title));
  }
  return passed;
}

const started = Date.now();
const { count, fault } = await run(args);
// The lab's own configuration has the files of test/dist/lab alone.
// With another option of ava, or with one file, what ran was what a person is looking at.
const [files, options] = args[0] === '--config' ? [args.slice(2), args.slice(0, 2)] : [args, []];
const whole = files.every((word) => !word.startsWith('-')) && files.length !== 1;
const unsteady =
  fault === undefined && whole && count.failures.length > 0
    ? await steadyAlone(count.failures, options, options.length > 0 ? 'lab' : undefined)
    : [];
const failures = count.failures.filter((title) => !unsteady.includes(title));

const report = process.env.VBS_TEST_REPORT;
if (report !== undefined) writeFileSync(report, JSON.stringify([...count.passes, ...unsteady]));

const tell = (word, title) => {
  process.stdout.write(`${word}  ${title}\n`);
  for (const line of (count.diagnostics.get(title) ?? []).slice(0, mostLinesTold)) process.stdout.write(`    ${line}\n`);
};
process.stdout.write('\n');
for (const title of unsteady) tell('UNSTEADY', title);
for (const title of failures) tell('FAILED', title);
if (fault !== undefined) process.stdout.write(`FAILED  ${fault}\n`);
const failed = failures.length + (fault === undefined ? 0 : 1);
if (count.todo > 0) process.stdout.write(`${count.todo} to do\n`);
process.stdout.write(`${((Date.now() - started) / 1000).toFixed(1)} s\n`);
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
process.stdout.write(`${count.passed + unsteady.length} passed, ${failed} failed${skipped}\n`);
process.exitCode = failed > 0 ? 1 : 0;
