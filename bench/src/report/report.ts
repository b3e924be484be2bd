import type { MachineFacts } from '../harness/machine-facts.js';
import type { Row } from '../row.js';
import { verdictOf } from './verdict.js';

/** The rows of one measurement. */
export interface Section {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
}

/** One run of the measurements: what `--json` writes, and what the tables are made from. */
export interface Report {
  /** ISO 8601, in UTC. */
  readonly startedAt: string;
  readonly quick: boolean;
  readonly machine: MachineFacts;
  readonly sections: readonly Section[];
}

export interface Totals {
  readonly met: number;
  readonly missed: number;
  /** Rows without an aim. */
  readonly told: number;
  readonly skipped: number;
  readonly failed: number;
}

export function totalsOf({ sections }: Report): Totals {
  const totals = { met: 0, missed: 0, told: 0, skipped: 0, failed: 0 };
  for (const row of sections.flatMap(({ rows }) => rows)) totals[standingOf(row)] += 1;
  return totals;
}

function standingOf(row: Row): keyof Totals {
  if (row.kind !== 'measured') return row.kind;
  const { met } = verdictOf(row);
  if (met === null) return 'told';
  return met ? 'met' : 'missed';
}

export function sayTotals({ met, missed, told, skipped, failed }: Totals): string {
  return `${met} aims met, ${missed} missed, ${told} rows without an aim, ${skipped} skipped, ${failed} failed`;
}

/** The machine in one sentence: what a reader needs to judge the numbers. */
export function sayMachine({ cpus, cpuModel, memoryGiB, kernel, node, fileSystem, tools }: MachineFacts): string {
  const versions = Object.entries(tools).map(([name, version]) => `${name}: ${version ?? 'not installed'}`);
  return `${cpus} CPUs (${cpuModel}), ${memoryGiB} GiB of memory, ${fileSystem}, Linux ${kernel}, Node.js ${node}; ${versions.join('; ')}.`;
}
