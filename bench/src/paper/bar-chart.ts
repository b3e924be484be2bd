import { sayNumber } from '../report/say-number.js';
import type { Spread } from '../report/statistics.js';

/** Bars side by side in groups, each with its least and most as a line. */
export interface BarChart {
  readonly title: string;
  /** What the vertical axis measures. */
  readonly axis: string;
  /** Names of the groups, from the left. */
  readonly groups: readonly string[];
  /** A bar of each in every group; at most as many as there are colours. */
  readonly series: readonly { readonly name: string; readonly bars: readonly Spread[] }[];
}

/** Told apart in print and by who sees no red and green (Okabe and Ito). */
const colours = ['#0072b2', '#e69f00', '#999999', '#009e73'] as const;

const width = 760;
const height = 400;
const plot = { left: 62, right: width - 16, top: 78, bottom: height - 44 } as const;
const ink = '#222222';

/** A chart as SVG, with a title and a text of all numbers for who does not see it. @throws TypeError: more series than colours. */
export function barChart({ title, axis, groups, series }: BarChart): string {
  if (series.length > colours.length) throw new TypeError(`a chart has at most ${colours.length} series`);
  const most = Math.max(...series.flatMap(({ bars }) => bars.map(({ max }) => max)));
  const { step, top } = scaleOf(most);
  const y = (value: number): number => plot.bottom - (value / top) * (plot.bottom - plot.top);
  const groupWidth = (plot.right - plot.left) / groups.length;
  const barWidth = Math.min(54, (groupWidth * 0.8) / series.length);

  const grid = Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step).flatMap((value) => [
    line(plot.left, y(value), plot.right, y(value), value === 0 ? ink : '#dddddd'),
    text(plot.left - 8, y(value) + 4, sayNumber(value), 'end'),
  ]);
  const bars = groups.flatMap((group, index) => {
    const middle = plot.left + (index + 0.5) * groupWidth;
    const left = middle - (series.length * barWidth) / 2;
    const drawn = series.flatMap(({ bars: spreads }, place) => {
      const spread = spreads[index];
      return spread === undefined ? [] : bar(spread, { left: left + place * barWidth, y, width: barWidth, colour: colours[place] ?? ink });
    });
    return [...drawn, text(middle, plot.bottom + 22, group, 'middle')];
  });
  const legend = series.flatMap(({ name }, place) => [
    rectangle(plot.left + place * 150, 44, 14, 14, colours[place] ?? ink),
    text(plot.left + place * 150 + 20, 56, name, 'start'),
  ]);
  const told = series.map(
    ({ name, bars: spreads }) => `${name}: ${spreads.map((spread, i) => `${groups[i]} ${sayNumber(spread.median)}`).join(', ')}`,
  );

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title numbers" font-family="sans-serif" font-size="13">
<title id="title">${xml(title)}</title>
<desc id="numbers">${xml(`${axis}. ${told.join('; ')}.`)}</desc>
${rectangle(0, 0, width, height, '#ffffff')}
<text x="${plot.left}" y="26" font-size="16" font-weight="bold" fill="${ink}">${xml(title)}</text>
<text transform="translate(18 ${round((plot.top + plot.bottom) / 2)}) rotate(-90)" text-anchor="middle" fill="${ink}">${xml(axis)}</text>
${[...legend, ...grid, ...bars].join('\n')}
</svg>
`;
}

/** Distance of the lines, of 1, 2 or 5 times a power of ten, and the end of the axis: 4 to 10 lines. */
export function scaleOf(most: number): { readonly step: number; readonly top: number } {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = power * ([0.2, 0.5, 1].find((factor) => most / (power * factor) <= 8) ?? 2);
  // Room for the number above the highest bar.
  return { step, top: step * Math.ceil((most * 1.06) / step) };
}

interface Place {
  readonly left: number;
  readonly y: (value: number) => number;
  readonly width: number;
  readonly colour: string;
}

function bar({ median, min, max, runs }: Spread, { left, y, width: wide, colour }: Place): readonly string[] {
  const middle = left + wide / 2;
  const range =
    runs === 1
      ? []
      : [
          line(middle, y(min), middle, y(max), ink),
          line(middle - 4, y(min), middle + 4, y(min), ink),
          line(middle - 4, y(max), middle + 4, y(max), ink),
        ];
  return [
    rectangle(left + 2, y(median), wide - 4, plot.bottom - y(median), colour),
    ...range,
    text(middle, y(runs === 1 ? median : max) - 5, median.toFixed(2), 'middle', 11),
  ];
}

const round = (value: number): number => Math.round(value * 10) / 10;

const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${colour}"/>`;

const rectangle = (x: number, y: number, wide: number, high: number, colour: string): string =>
  `<rect x="${round(x)}" y="${round(y)}" width="${round(wide)}" height="${round(high)}" fill="${colour}"/>`;

const text = (x: number, y: number, content: string, anchor: 'start' | 'middle' | 'end', size = 13): string =>
  `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}" fill="${ink}">${xml(content)}</text>`;

const xml = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
