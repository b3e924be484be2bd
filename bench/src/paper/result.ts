import type { MachineFacts } from '../harness/machine-facts.js';
import { type Spread, spreadOf } from '../report/statistics.js';
import type { BonnieFigures } from './bonnie.js';
import { baseline, type Disk } from './disks.js';
import type { FioFigures } from './fio.js';

/** What one disk gave in one round. */
export interface DiskRound {
  /** One for each size of file, in the order of the sizes. */
  readonly bonnie: readonly BonnieFigures[];
  readonly fio: FioFigures;
}

export type Round = Readonly<Record<Disk, DiskRound>>;

/** One run of the experiment: what `--json` writes, and what page and plots are made from. */
export interface PaperRun {
  /** ISO 8601, in UTC. */
  readonly startedAt: string;
  readonly quick: boolean;
  readonly machine: MachineFacts;
  /** What the DomU's kernel has for programs and page cache, in MiB. */
  readonly guestMemoryMiB: number;
  /** Of bonnie++'s file, in MiB. */
  readonly sizesMiB: readonly number[];
  /** At least one. */
  readonly rounds: readonly Round[];
  /** Of the machine, guests and all, over the last five minutes of each round. */
  readonly loads: readonly number[];
}

/** One figure of a disk's round. */
export type Read = (round: DiskRound) => number;

/** A figure of a disk in each round. */
export const samplesOf = ({ rounds }: PaperRun, disk: Disk, read: Read): Spread => spreadOf(rounds.map((round) => read(round[disk])));

/** A disk over another (Local-LVM unless told), round by round, so that each pair met the same machine. */
export function ratioOf({ rounds }: PaperRun, disk: Disk, read: Read, to: Disk = baseline): Spread {
  return spreadOf(rounds.map((round) => read(round[disk]) / read(round[to])));
}

/** The figure of bonnie++ for the size of this index. @throws TypeError: the run has no such size. */
export function bonnieAt(index: number, name: keyof BonnieFigures): Read {
  return ({ bonnie }) => {
    const figures = bonnie[index];
    if (figures === undefined) throw new TypeError(`the round has no size of index ${index}`);
    return figures[name];
  };
}
