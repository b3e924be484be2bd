import { readFile, writeFile } from 'node:fs/promises';
import { interruption } from './harness/interruption.js';
import type { Measurement } from './measurement.js';
import { readOptions, UsageError, usage } from './options.js';
import { markdownOf, replaceGenerated } from './report/markdown.js';
import { totalsOf } from './report/report.js';
import { textTable } from './report/text-table.js';
import { runBench } from './run-bench.js';

/** A program that measures, by its options; `page` is the document that `--write` rewrites. */
export async function main({ program, measurements, page }: BenchProgram): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const signal = interruption(say);

  try {
    const options = readOptions(
      process.argv.slice(2),
      measurements.map(({ name }) => name),
    );
    if (options.help) {
      process.stdout.write(usage(program, measurements));
      return;
    }
    const report = await runBench(measurements, options, signal, say);
    process.stdout.write(`${textTable(report)}\n`);
    if (options.json !== null) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    if (options.write) await writeFile(page, replaceGenerated(await readFile(page, 'utf8'), markdownOf(report)));
    if (totalsOf(report).failed > 0) process.exitCode = 1;
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage(program, measurements)}`);
    process.exitCode = 2;
  }
}

export interface BenchProgram {
  /** As a person calls it: `npm run bench`. */
  readonly program: string;
  readonly measurements: readonly Measurement[];
  readonly page: URL;
}
