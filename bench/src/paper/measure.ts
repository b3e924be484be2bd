import { loadavg } from 'node:os';
import type { Bench, Measurement } from '../measurement.js';
import type { Row } from '../row.js';
import type { BonnieFigures } from './bonnie.js';
import { type Disk, disks } from './disks.js';
import type { FioFigures } from './fio.js';
import type { PaperGuest } from './guest.js';
import type { DiskRound, PaperRun, Round } from './result.js';
import { openPaperScene } from './scene.js';

export type Measured = Pick<PaperRun, 'guestMemoryMiB' | 'sizesMiB' | 'rounds' | 'loads'>;

const fioMiB = 32;
/** For the largest file of bonnie++, and what ext4 takes. */
const diskMiB = 320;

/** Local-LVM reads much less than the memory in under half a second, which bonnie++ does not tell. */
const plans = {
  quick: { rounds: 1, timesMemory: [1], fioSeconds: 1 },
  full: { rounds: 3, timesMemory: [1, 1.5, 2], fioSeconds: 2 },
} as const;

/** No round begins later, on a machine that has much else to do. */
const lastStartMs = 900_000;

/** The experiment as a measurement, for its time limit and its clearing up; it has no rows, and tells each whole round to `keep`. */
export function paperMeasurement(keep: (measured: Measured) => void): Measurement {
  return {
    name: 'paper',
    title: "The paper's experiment: four disks of one Xen guest",
    limitMs: { quick: 900_000, full: 3_600_000 },
    run: (bench) => withoutRows(() => measurePaper(bench, keep)),
  };
}

function withoutRows(act: () => Promise<void>): AsyncIterable<Row> {
  const next = async (): Promise<IteratorReturnResult<undefined>> => {
    await act();
    return { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function measurePaper(bench: Bench, keep: (measured: Measured) => void): Promise<void> {
  const plan = bench.quick ? plans.quick : plans.full;
  const guest = await openPaperScene(bench, diskMiB);
  const guestMemoryMiB = await guest.memoryMiB();
  const sizesMiB = plan.timesMemory.map((times) => Math.round((guestMemoryMiB * times) / 8) * 8);
  const rounds: Round[] = [];
  const loads: number[] = [];
  const started = performance.now();
  for (let turn = 0; turn < plan.rounds; turn++) {
    if (performance.now() - started > lastStartMs) {
      bench.say(`no further round: the time is up after ${rounds.length} of ${plan.rounds}`);
      break;
    }
    rounds.push(await measureRound(guest, bench, { turn, sizesMiB, fioSeconds: plan.fioSeconds }));
    loads.push(loadavg()[1] ?? Number.NaN);
    keep({ guestMemoryMiB, sizesMiB, rounds: [...rounds], loads: [...loads] });
  }
}

interface Turn {
  readonly turn: number;
  readonly sizesMiB: readonly number[];
  readonly fioSeconds: number;
}

/** Size by size, all disks one right after another, so that what else the machine does meets them alike. */
async function measureRound(guest: PaperGuest, { say, signal }: Bench, { turn, sizesMiB, fioSeconds }: Turn): Promise<Round> {
  const order = rotated(disks, turn);
  const bonnie: Record<Disk, BonnieFigures[]> = { 'VBS-LVM': [], 'AoE-LVM': [], 'Local-LVM': [], 'Local-Image': [] };
  for (const sizeMiB of sizesMiB)
    for (const disk of order) {
      signal.throwIfAborted();
      const figures = await guest.bonnie(disk, sizeMiB);
      say(`round ${turn + 1}, ${disk}, ${sizeMiB} MiB: ${JSON.stringify(figures)}`);
      bonnie[disk].push(figures);
    }
  const fio = new Map<Disk, FioFigures>();
  for (const disk of order) {
    signal.throwIfAborted();
    const figures = await guest.fio(disk, { sizeMiB: fioMiB, seconds: fioSeconds });
    say(`round ${turn + 1}, ${disk}, fio: ${JSON.stringify(figures)}`);
    fio.set(disk, figures);
  }
  const roundOf = (disk: Disk): DiskRound => {
    const figures = fio.get(disk);
    if (figures === undefined) throw new TypeError(`${disk} was not measured`);
    return { bonnie: bonnie[disk], fio: figures };
  };
  return {
    'VBS-LVM': roundOf('VBS-LVM'),
    'AoE-LVM': roundOf('AoE-LVM'),
    'Local-LVM': roundOf('Local-LVM'),
    'Local-Image': roundOf('Local-Image'),
  };
}

/** The same order, begun one further in each turn: none is always first. */
export function rotated<T>(items: readonly T[], turn: number): readonly T[] {
  const start = turn % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
