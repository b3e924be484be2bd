import { barChart } from './bar-chart.js';
import { baseline, type Disk, disks } from './disks.js';
import { fioPlotFile, paperFigures } from './figures.js';
import { patternNames, patterns } from './fio.js';
import { bonnieAt, type PaperRun, type Read, ratioOf } from './result.js';

export interface Plot {
  /** Its name beside the others. */
  readonly file: string;
  readonly svg: string;
}

const axis = `times ${baseline}, more is better`;

/** A plot for each of the paper's figures, and one for fio. */
export function plotsOf(run: PaperRun): readonly Plot[] {
  const series = (reads: readonly Read[]) =>
    disks.map((disk: Disk) => ({ name: disk, bars: reads.map((read) => ratioOf(run, disk, read)) }));
  const figures = paperFigures.map(({ number, name, title, file }) => ({
    file,
    svg: barChart({
      title: `Figure ${number} again: ${title.toLowerCase()} of bonnie++, by size of the file`,
      axis,
      groups: run.sizesMiB.map((sizeMiB) => `${sizeMiB} MiB`),
      series: series(run.sizesMiB.map((_, index) => bonnieAt(index, name))),
    }),
  }));
  const fio = barChart({
    title: 'fio, direct, on the same disks',
    axis,
    groups: patternNames.map((name) => patterns[name].title),
    series: series(
      patternNames.map(
        (name) =>
          ({ fio: figuresOf }) =>
            figuresOf[name],
      ),
    ),
  });
  return [...figures, { file: fioPlotFile, svg: fio }];
}
