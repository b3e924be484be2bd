/** What one run of bonnie++ measured. */
export interface BonnieFigures {
  /** Written in pieces, and synced at the end, in KiB/s. */
  readonly blockOutput: number;
  /** Read in pieces, in KiB/s. */
  readonly blockInput: number;
  /** Seeks to a random place, each with a read and every tenth with a write, a second. */
  readonly randomSeeks: number;
}

/** Bytes of one read or write. bonnie++'s own 8 KiB would measure the system calls of an emulated processor. */
export const bonnieChunk = '64k';

/** Random seeks of a run, and the processes that make them at once; bonnie++'s own 8192 would take longer than all else. */
export const bonnieSeeks = { count: 2_048, processes: 5 } as const;

/**
 * Figures 9, 10 and 11 of the paper: block by block and without small files, quietly, as CSV. `-r 0`: bonnie++ refuses files below twice
 * the memory otherwise. bonnie++(8).
 */
export function bonnieCommand(folder: string, sizeMiB: number): readonly [string, ...string[]] {
  const { count, processes } = bonnieSeeks;
  const size = `${sizeMiB}:${bonnieChunk}:${count}:${processes}`;
  return ['/usr/sbin/bonnie++', '-q', '-f', '-u', '0:0', '-d', folder, '-s', size, '-r', '0', '-n', '0'];
}

const csvVersion = '1.98';
const columns = { blockOutput: 11, blockInput: 17, randomSeeks: 19 } as const satisfies Record<keyof BonnieFigures, number>;

/** The figures of bonnie++ 2.00's line of CSV. @throws Error: there is no such line, or a figure is missing or was too quick to measure. */
export function parseBonnie(output: string): BonnieFigures {
  const line = output.split('\n').find((text) => text.startsWith(`${csvVersion},`));
  if (line === undefined) throw new Error(`bonnie++ printed no line of CSV of version ${csvVersion}: ${output.trim().slice(0, 200)}`);
  const cells = line.split(',');
  const figure = (name: keyof BonnieFigures): number => {
    const cell = cells[columns[name]] ?? '';
    if (/^\++$/.test(cell)) throw new Error(`bonnie++: ${name} was too quick to measure (${cell}): take a larger file`);
    const value = Number(cell);
    if (cell === '' || !Number.isFinite(value) || value <= 0)
      throw new Error(`bonnie++: ${name} is "${cell}", not a number above 0, in: ${line}`);
    return value;
  };
  return { blockOutput: figure('blockOutput'), blockInput: figure('blockInput'), randomSeeks: figure('randomSeeks') };
}
