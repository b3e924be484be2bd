import { readFile, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { measurements } from './measurements.js';
import { readOptions, UsageError, usage } from './options.js';
import { markdownOf, replaceGenerated } from './report/markdown.js';
import { totalsOf } from './report/report.js';
import { textTable } from './report/text-table.js';
import { runBench } from './run-bench.js';

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const interrupted = new AbortController();
const say = (line: string): void => void process.stderr.write(`${line}\n`);

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (interrupted.signal.aborted) return;
    say(`${name}: ending what runs, and clearing up`);
    process.exitCode = 128 + constants.signals[name];
    interrupted.abort(new Error(`interrupted by ${name}`));
  });
}

try {
  const options = readOptions(
    process.argv.slice(2),
    measurements.map(({ name }) => name),
  );
  if (options.help) process.stdout.write(usage(measurements));
  else await bench(options);
} catch (error) {
  if (!interrupted.signal.aborted) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage(measurements)}`);
    process.exitCode = 2;
  }
}

async function bench(options: ReturnType<typeof readOptions>): Promise<void> {
  const report = await runBench(measurements, options, interrupted.signal, say);
  process.stdout.write(`${textTable(report)}\n`);
  if (options.json !== null) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.write) await writeFile(page, replaceGenerated(await readFile(page, 'utf8'), markdownOf(report)));
  if (totalsOf(report).failed > 0) process.exitCode = 1;
}
