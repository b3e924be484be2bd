import { runTool, type ToolOptions } from '../harness/tools.js';
import { MiB } from '../sizes.js';
import type { Cell } from './cells.js';

export interface FioJob {
  readonly cell: Cell;
  /** Of an export over NBD. */
  readonly uri: string;
  /** How much of the export is used. */
  readonly sizeBytes: number;
  readonly seconds: number;
  /** Before them, without counting. */
  readonly warmUpSeconds: number;
}

/** One job of fio's nbd engine: one connection, as many requests in flight as the cell's depth. fio(1). */
export function fioCommand({ cell, uri, sizeBytes, seconds, warmUpSeconds }: FioJob): readonly [string, ...string[]] {
  const { access, order, blockBytes, depth } = cell;
  return [
    'fio',
    '--name=cell',
    '--ioengine=nbd',
    `--uri=${uri}`,
    `--rw=${order === 'random' ? 'rand' : ''}${access}`,
    `--bs=${blockBytes}`,
    `--iodepth=${depth}`,
    `--size=${sizeBytes}`,
    '--time_based=1',
    `--runtime=${Math.round(seconds * 1_000)}ms`,
    `--ramp_time=${Math.round(warmUpSeconds * 1_000)}ms`,
    '--output-format=json',
  ];
}

/** MiB a second of the one job. @throws Error: fio reports an error, or what it printed is no report. */
export function parseFio(output: string, access: Cell['access']): number {
  // Warnings may stand before the report.
  const report = JSON.parse(output.slice(Math.max(0, output.indexOf('{')))) as FioReport;
  const [job] = report.jobs ?? [];
  const bytesPerSecond = job?.[access]?.bw_bytes;
  if (job?.error !== 0) throw new Error(`fio ended its job with error ${job?.error}`);
  if (typeof bytesPerSecond !== 'number' || bytesPerSecond <= 0) throw new Error(`fio reports no throughput of ${access}`);
  return bytesPerSecond / MiB;
}

interface FioReport {
  readonly jobs?: readonly {
    readonly error?: number;
    readonly read?: { readonly bw_bytes?: number };
    readonly write?: { readonly bw_bytes?: number };
  }[];
}

export async function runFio(job: FioJob, options: ToolOptions): Promise<number> {
  return parseFio(await runTool(fioCommand(job), options), job.cell.access);
}
