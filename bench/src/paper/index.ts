import { readFile, writeFile } from 'node:fs/promises';
import { interruption } from '../harness/interruption.js';
import { machineFacts } from '../harness/machine-facts.js';
import { runMeasurement } from '../harness/run-measurement.js';
import { UsageError } from '../options.js';
import { replaceGenerated } from '../report/markdown.js';
import { type Measured, paperMeasurement } from './measure.js';
import { type PaperOptions, paperUsage, readPaperOptions } from './options.js';
import { plotsOf } from './plots.js';
import { paperMarkdown } from './report.js';
import type { PaperRun } from './result.js';

const page = new URL('../../../docs/paper-experiment.md', import.meta.url);
const plotFolder = new URL('../../../docs/paper-experiment/', import.meta.url);
const say = (line: string): void => void process.stderr.write(`${line}\n`);

const signal = interruption(say);

try {
  const options = readPaperOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(paperUsage);
  else await report(await runOf(options), options);
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${paperUsage}`);
    process.exitCode = 2;
  } else if (!signal.aborted) throw error;
}

async function runOf({ quick, directory, from }: PaperOptions): Promise<PaperRun | null> {
  if (from !== null) return JSON.parse(await readFile(from, 'utf8')) as PaperRun;
  const startedAt = new Date().toISOString();
  const machine = await machineFacts(directory, signal);
  let measured: Measured | null = null;
  const measurement = paperMeasurement((all) => {
    measured = all;
  });
  const rows = await runMeasurement(measurement, { quick, directory, signal, say });
  for (const row of rows)
    if (row.kind === 'failed') {
      say(`${row.what}: ${row.reason}`);
      process.exitCode = 1;
    }
  return measured === null ? null : { startedAt, quick, machine, ...(measured as Measured) };
}

async function report(run: PaperRun | null, { json, write }: PaperOptions): Promise<void> {
  if (run === null) return;
  const markdown = paperMarkdown(run);
  process.stdout.write(`${markdown}\n`);
  if (json !== null) await writeFile(json, `${JSON.stringify(run, null, 2)}\n`);
  // A page of half a run would pass for a whole one.
  if (!write || process.exitCode === 1) return;
  for (const { file, svg } of plotsOf(run)) await writeFile(new URL(file, plotFolder), svg);
  await writeFile(page, replaceGenerated(await readFile(page, 'utf8'), markdown));
}
