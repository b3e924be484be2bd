import { machineFacts } from './harness/machine-facts.js';
import { runMeasurement } from './harness/run-measurement.js';
import type { Measurement } from './measurement.js';
import type { BenchOptions } from './options.js';
import type { Report, Section } from './report/report.js';

/** Runs the measurements one after another. @throws the signal's reason, after clearing up: the user interrupts. */
export async function runBench(
  measurements: readonly Measurement[],
  { only, quick, directory }: Pick<BenchOptions, 'only' | 'quick' | 'directory'>,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<Report> {
  const startedAt = new Date().toISOString();
  const machine = await machineFacts(directory, signal);
  const sections: Section[] = [];
  for (const measurement of measurements) {
    const { name, title } = measurement;
    if (only.length > 0 && !only.includes(name)) continue;
    say(`${name}: ${title}`);
    const rows = await runMeasurement(measurement, { quick, directory, signal, say: (line) => say(`${name}: ${line}`) });
    sections.push({ name, title, rows });
  }
  return { startedAt, quick, machine, sections };
}
