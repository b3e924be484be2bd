import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Bench, Measurement } from '../measurement.js';
import type { Row } from '../row.js';
import { Cleanup } from './cleanup.js';
import { withinLimit } from './within-limit.js';

export interface RunOptions {
  readonly quick: boolean;
  /** Where the folder of the measurement is made. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** What a measurement has to end once it was told to, before things are taken away under it. */
const leaveLimitMs = 15_000;

/**
 * Runs one measurement within its time limit, and clears up after it. What goes wrong, also in clearing up, is a row that says so.
 * @throws the signal's reason, after clearing up: the user interrupts.
 */
export async function runMeasurement(measurement: Measurement, options: RunOptions): Promise<readonly Row[]> {
  const { title, limitMs } = measurement;
  const limit = new AbortController();
  const mostMs = options.quick ? limitMs.quick : limitMs.full;
  const timer = setTimeout(() => limit.abort(new Error(`not within its time limit of ${Math.round(mostMs / 1_000)} s`)), mostMs);
  const cleanup = new Cleanup();
  const directory = await mkdtemp(path.join(options.directory, 'vbs-bench-'));
  cleanup.defer('removing the folder of the measurement', () => rm(directory, { recursive: true, force: true }));
  const signal = AbortSignal.any([options.signal, limit.signal]);
  // Every request of every client listens to it.
  setMaxListeners(0, signal);
  const rows: Row[] = [];
  const fail = (what: string, error: unknown) => rows.push({ kind: 'failed', what, reason: reasonOf(error) });
  const collecting = collect(measurement, { ...options, signal, directory, cleanup }, rows);
  try {
    await Promise.race([collecting, whenAborted(signal).then(() => withinLimit(collecting, leaveLimitMs, 'stopping'))]);
  } catch (error) {
    fail(title, signal.aborted ? signal.reason : error);
  } finally {
    clearTimeout(timer);
    await cleanup.close().catch((error: unknown) => {
      fail('clearing up', error);
      options.say(reasonOf(error));
    });
  }
  options.signal.throwIfAborted();
  return rows;
}

async function collect(measurement: Measurement, bench: Bench, rows: Row[]): Promise<void> {
  for await (const row of measurement.run(bench)) {
    bench.signal.throwIfAborted();
    rows.push(row);
  }
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
