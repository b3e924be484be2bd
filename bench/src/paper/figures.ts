import type { BonnieFigures } from './bonnie.js';

/** A figure of the paper that bonnie++ measures again. */
export interface PaperFigure {
  readonly number: 9 | 10 | 11;
  readonly name: keyof BonnieFigures;
  readonly title: string;
  /** What the paper's abstract says of VBS-LVM beside AoE-LVM; the numbers of its figures are not known here. */
  readonly published: string;
  /** In docs/paper-experiment/. */
  readonly file: string;
  /** What `toUnit` makes of bonnie++'s number. */
  readonly unit: 'MiB/s' | 'seeks/s';
  readonly toUnit: (value: number) => number;
}

export const toMiB = (kibibytes: number): number => kibibytes / 1_024;

const throughput = 'similar throughput';

export const paperFigures: readonly PaperFigure[] = [
  {
    number: 9,
    name: 'blockOutput',
    title: 'Block output',
    published: throughput,
    file: 'figure-9-block-output.svg',
    unit: 'MiB/s',
    toUnit: toMiB,
  },
  {
    number: 10,
    name: 'blockInput',
    title: 'Block input',
    published: throughput,
    file: 'figure-10-block-input.svg',
    unit: 'MiB/s',
    toUnit: toMiB,
  },
  {
    number: 11,
    name: 'randomSeeks',
    title: 'Random seeks',
    published: 'it does not speak of seeks',
    file: 'figure-11-random-seeks.svg',
    unit: 'seeks/s',
    toUnit: (value) => value,
  },
];

export const fioPlotFile = 'fio.svg';
