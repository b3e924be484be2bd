/** fio's patterns of access, in the order in which one run tries them; direct, past the DomU's page cache. */
export const patterns = {
  write: { title: 'sequential write, 256 KiB', blockBytes: 262_144, side: 'write' },
  read: { title: 'sequential read, 256 KiB', blockBytes: 262_144, side: 'read' },
  randwrite: { title: 'random write, 4 KiB', blockBytes: 4_096, side: 'write' },
  randread: { title: 'random read, 4 KiB', blockBytes: 4_096, side: 'read' },
} as const;

export type Pattern = keyof typeof patterns;

/** In KiB/s. */
export type FioFigures = Readonly<Record<Pattern, number>>;

export const patternNames = Object.keys(patterns) as readonly Pattern[];

/** Requests in flight. */
export const fioDepth = 8;

export interface FioRun {
  readonly file: string;
  readonly sizeMiB: number;
  /** Of each pattern. */
  readonly seconds: number;
}

/** One run of fio, one job for each pattern and one after another: fio takes long to start under emulation. fio(1). */
export function fioCommand({ file, sizeMiB, seconds }: FioRun): readonly [string, ...string[]] {
  const common = [
    `--filename=${file}`,
    `--size=${sizeMiB}M`,
    '--ioengine=libaio',
    '--direct=1',
    `--iodepth=${fioDepth}`,
    '--time_based=1',
    `--runtime=${seconds}`,
    '--output-format=json',
  ];
  const jobs = patternNames.flatMap((name) => ['--stonewall', `--name=${name}`, `--rw=${name}`, `--bs=${patterns[name].blockBytes}`]);
  return ['/usr/bin/fio', ...common, ...jobs];
}

/** The throughput of each pattern. @throws Error: the output is no report, a job is missing or failed, or moved nothing. */
export function parseFio(output: string): FioFigures {
  const report = readReport(output);
  const figure = (name: Pattern): number => {
    const job = report.jobs?.find(({ jobname }) => jobname === name);
    if (job === undefined) throw new Error(`fio reports no job ${name}`);
    if (job.error !== 0) throw new Error(`fio ended the job ${name} with error ${job.error}`);
    const bytesPerSecond = job[patterns[name].side]?.bw_bytes;
    if (typeof bytesPerSecond !== 'number' || bytesPerSecond <= 0) throw new Error(`fio reports no throughput of the job ${name}`);
    return bytesPerSecond / 1_024;
  };
  return { write: figure('write'), read: figure('read'), randwrite: figure('randwrite'), randread: figure('randread') };
}

interface Side {
  readonly bw_bytes?: number;
}

interface FioReport {
  readonly jobs?: readonly { readonly jobname?: string; readonly error?: number; readonly read?: Side; readonly write?: Side }[];
}

function readReport(output: string): FioReport {
  // Warnings may stand before the report.
  const start = output.indexOf('{');
  if (start < 0) throw new Error(`fio printed no report: ${output.trim().slice(0, 200)}`);
  return JSON.parse(output.slice(start)) as FioReport;
}
