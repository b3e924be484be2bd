import { sayMachine } from '../report/report.js';
import { sayNumber } from '../report/say-number.js';
import type { Spread } from '../report/statistics.js';
import { baseline, disks } from './disks.js';
import { fioPlotFile, type PaperFigure, paperFigures, toMiB } from './figures.js';
import { patternNames, patterns } from './fio.js';
import { bonnieAt, type PaperRun, type Read, ratioOf, samplesOf } from './result.js';

const plotFolder = 'paper-experiment';
const others = disks.filter((disk) => disk !== baseline);

/** The run as Markdown: when and on what, side by side with the paper, then a table and a plot for each figure. */
export function paperMarkdown(run: PaperRun): string {
  return [introOf(run), sideBySide(run), ...paperFigures.map((figure) => figureSection(figure, run)), fioSection(run)].join('\n\n');
}

function introOf({ startedAt, quick, machine, guestMemoryMiB, sizesMiB, rounds, loads }: PaperRun): string {
  const kind = quick ? 'A quick run, which proves nothing' : 'One run';
  return (
    `${kind}, on ${startedAt.slice(0, 10)}: ${sayMachine(machine)}\n\n` +
    `Rounds: ${rounds.length}; load of the machine in each, its guests included: ${loads.map(sayNumber).join(', ')}. The DomU has ${guestMemoryMiB} MiB for programs and page cache; bonnie++'s files have ${sizesMiB.join(', ')} MiB. ` +
    `A cell is the median of the ratios to ${baseline} in the same round, with the least and the most; ${baseline} itself stands in its own unit.`
  );
}

/** What the paper found, as published, beside what this run shows. */
function sideBySide(run: PaperRun): string {
  const rows = paperFigures.map(({ number, title, name, published }) => {
    const medians = run.sizesMiB.map((_, index) => ratioOf(run, 'VBS-LVM', bonnieAt(index, name), 'AoE-LVM').median);
    return `| ${number}: ${title.toLowerCase()} | ${published} | ${range(medians)} times |`;
  });
  const fio = patternNames.map((name) => ratioOf(run, 'VBS-LVM', fioOf(name), 'AoE-LVM').median);
  return (
    `### Side by side with the paper\n\n` +
    `| figure | the paper's abstract, VBS-LVM beside AoE-LVM | this run, VBS-LVM ÷ AoE-LVM over the sizes |\n| --- | --- | --- |\n` +
    `${[...rows, `| none: fio | – | ${range(fio)} times, over the patterns |`].join('\n')}`
  );
}

function figureSection({ number, title, file, name, unit, toUnit }: PaperFigure, run: PaperRun): string {
  const rows = run.sizesMiB.map((sizeMiB, index): Row => ({ label: `${sizeMiB} MiB`, read: bonnieAt(index, name) }));
  return section(`Figure ${number} again: ${title.toLowerCase()}`, file, run, { label: 'file', unit, toUnit, rows });
}

function fioSection(run: PaperRun): string {
  const rows = patternNames.map((name): Row => ({ label: patterns[name].title, read: fioOf(name) }));
  return section('fio, direct', fioPlotFile, run, { label: 'pattern', unit: 'MiB/s', toUnit: toMiB, rows });
}

const fioOf =
  (name: (typeof patternNames)[number]): Read =>
  ({ fio }) =>
    fio[name];

interface Row {
  readonly label: string;
  readonly read: Read;
}

interface Table {
  readonly label: string;
  readonly unit: string;
  readonly toUnit: (value: number) => number;
  readonly rows: readonly Row[];
}

function section(title: string, file: string, run: PaperRun, { label, unit, toUnit, rows }: Table): string {
  const head = [label, baseline, ...others.map((disk) => `${disk} ÷ ${baseline}`), 'VBS-LVM ÷ AoE-LVM'];
  const body = rows.map(({ label: name, read }) => [
    name,
    `${say(samplesOf(run, baseline, (round) => toUnit(read(round))))} ${unit}`,
    ...others.map((disk) => say(ratioOf(run, disk, read))),
    say(ratioOf(run, 'VBS-LVM', read, 'AoE-LVM')),
  ]);
  const lines = [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`);
  return `### ${title}\n\n![${title}: the table below as bars](${plotFolder}/${file})\n\n${lines.join('\n')}`;
}

/** `0.81 (0.7–0.93)`: the median, the least and the most. */
function say({ median, min, max, runs }: Spread): string {
  return runs === 1 ? sayNumber(median) : `${sayNumber(median)} (${sayNumber(min)}–${sayNumber(max)})`;
}

function range(values: readonly number[]): string {
  const least = sayNumber(Math.min(...values));
  const most = sayNumber(Math.max(...values));
  return least === most ? least : `${least} to ${most}`;
}
