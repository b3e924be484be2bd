import { UsageError } from '@vbs/bench/internal/options.js';
import { barChart, scaleOf } from '@vbs/bench/internal/paper/bar-chart.js';
import { disks } from '@vbs/bench/internal/paper/disks.js';
import { rotated } from '@vbs/bench/internal/paper/measure.js';
import { readPaperOptions } from '@vbs/bench/internal/paper/options.js';
import { plotsOf } from '@vbs/bench/internal/paper/plots.js';
import { paperMarkdown } from '@vbs/bench/internal/paper/report.js';
import type { DiskRound, PaperRun, Round } from '@vbs/bench/internal/paper/result.js';
import test from 'ava';

const times = ({ bonnie, fio }: DiskRound, factor: number): DiskRound => ({
  bonnie: bonnie.map(({ blockOutput, blockInput, randomSeeks }) => ({
    blockOutput: blockOutput * factor,
    blockInput: blockInput * factor,
    randomSeeks: randomSeeks * factor,
  })),
  fio: { write: fio.write * factor, read: fio.read * factor, randwrite: fio.randwrite * factor, randread: fio.randread * factor },
});

const local: DiskRound = {
  bonnie: [
    { blockOutput: 62_311, blockInput: 60_681, randomSeeks: 804.8 },
    { blockOutput: 51_200, blockInput: 40_960, randomSeeks: 700 },
  ],
  fio: { write: 129_148, read: 197_702, randwrite: 657, randread: 2_646 },
};

/** A round in which the machine was so much quicker; VBS-LVM then gives half of Local-LVM, and less in slower rounds. */
const roundOf = (quicker: number, vbs: number): Round => ({
  'VBS-LVM': times(local, quicker * vbs),
  'AoE-LVM': times(local, quicker * 0.5),
  'Local-LVM': times(local, quicker),
  'Local-Image': times(local, quicker * 0.8),
});

const run: PaperRun = {
  startedAt: '2026-01-02T03:04:05.678Z',
  quick: false,
  machine: { cpus: 2, cpuModel: 'A Processor', memoryGiB: 24, kernel: '6.1.0', node: 'v20.20.0', fileSystem: 'xfs', tools: {} },
  guestMemoryMiB: 80,
  sizesMiB: [80, 160],
  loads: [2.25, 8, 3],
  rounds: [roundOf(1, 0.5), roundOf(10, 0.25), roundOf(0.1, 0.4)],
};

test('paperMarkdown › compares within a round, and tells median, least and most', (t) => {
  const markdown = paperMarkdown(run);
  t.regex(markdown, /^One run, on 2026-01-02: 2 CPUs/);
  t.true(markdown.includes('Rounds: 3; load of the machine in each, its guests included: 2.25, 8, 3. The DomU has 80 MiB'), markdown);
  t.true(markdown.includes('| 80 MiB | 60.9 (6.09–609) MiB/s |'), markdown);
  t.true(markdown.includes('| 0.4 (0.25–0.5) | 0.5 (0.5–0.5) | 0.8 (0.8–0.8) | 0.8 (0.5–1) |'), markdown);
  t.true(markdown.includes('| 9: block output | similar throughput | 0.8 times |'), markdown);
  for (const { file } of plotsOf(run)) t.true(markdown.includes(`(paper-experiment/${file})`), file);
});

test('paperMarkdown › says of a quick run that it proves nothing', (t) => {
  t.regex(paperMarkdown({ ...run, quick: true, rounds: run.rounds.slice(0, 1) }), /^A quick run, which proves nothing, on 2026-01-02/);
});

test('plotsOf › gives a plot for each figure of the paper and one for fio, well-formed, named, with all numbers for who does not see them', (t) => {
  const plots = plotsOf(run);
  t.deepEqual(
    plots.map(({ file }) => file),
    ['figure-9-block-output.svg', 'figure-10-block-input.svg', 'figure-11-random-seeks.svg', 'fio.svg'],
  );
  for (const { svg } of plots) {
    t.deepEqual(openTags(svg), []);
    t.regex(svg, /^<svg [^>]*role="img" aria-labelledby="title numbers"/);
    t.regex(svg, /<title id="title">[^<]+<\/title>/);
    const [, told = ''] = /<desc id="numbers">([^<]*)<\/desc>/.exec(svg) ?? [];
    for (const disk of disks) t.true(told.includes(`${disk}: `), told);
    t.false(/NaN|undefined|Infinity/.test(svg));
  }
});

/** The names of elements that are not closed, or closed by another's end. */
function openTags(svg: string): readonly string[] {
  const open: string[] = [];
  for (const [, end, name = '', own] of svg.matchAll(/<(\/?)([a-z]+)(?:\s[^>]*?)?(\/?)>/g)) {
    if (end === '/' && open.at(-1) === name) open.pop();
    else if (own !== '/') open.push(`${end}${name}`);
  }
  return open;
}

const bar = (value: number) => ({ median: value, min: value, max: value, runs: 1 });

test('barChart › draws a bar twice as high for twice as much, and escapes names', (t) => {
  const svg = barChart({
    title: 'a < b & "c"',
    axis: 'x',
    groups: ['g'],
    series: [
      { name: 'one', bars: [bar(1)] },
      { name: 'two', bars: [bar(2)] },
    ],
  });
  const heights = [...svg.matchAll(/<rect [^>]*height="([\d.]+)" fill="#(?!ffffff)/g)]
    .map(([, height]) => Number(height))
    .filter((height) => height !== 14);
  const [one = 0, two = 0] = heights;
  t.is(heights.length, 2);
  t.true(Math.abs(two / one - 2) < 0.01, `${two} to ${one}`);
  t.true(svg.includes('a &lt; b &amp; &quot;c&quot;'));
});

test('barChart › refuses more series than it has colours', (t) => {
  const series = ['1', '2', '3', '4', '5'].map((name) => ({ name, bars: [bar(1)] }));
  t.throws(() => barChart({ title: 't', axis: 'x', groups: ['g'], series }), { instanceOf: TypeError });
});

test('scaleOf › has 3 to 10 lines of round distance, and ends above the highest bar', (t) => {
  for (const most of [0.0123, 0.9, 1, 1.04, 2.5, 7, 99, 100, 1234]) {
    const { step, top } = scaleOf(most);
    t.true(top > most && top / step >= 3 && top / step <= 10, `${most}: ${step}, ${top}`);
    t.regex(step.toExponential(0), /^[125]e/);
  }
});

test('rotated › begins one further in each turn', (t) => {
  t.deepEqual(
    [0, 1, 2, 3].map((turn) => rotated(['a', 'b', 'c'], turn).join('')),
    ['abc', 'bca', 'cab', 'abc'],
  );
});

test('readPaperOptions › refuses what it does not know, and a quick run that is not run', (t) => {
  t.throws(() => readPaperOptions(['--only', 'x']), { instanceOf: UsageError });
  t.throws(() => readPaperOptions(['--quick', '--from', 'x']), { instanceOf: UsageError, message: /--from/ });
  t.like(readPaperOptions(['--write', '--json', 'x']), { quick: false, json: 'x', from: null, write: true });
});
