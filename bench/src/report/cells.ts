import type { MeasuredRow, Row } from '../row.js';
import { sayNumber } from './say-number.js';
import { spreadOf } from './statistics.js';
import { sayAim, verdictOf } from './verdict.js';

export const head = ['what', 'VBS', 'peer', 'VBS ÷ peer', 'aim', 'met'] as const;

/** A row as the six cells of both tables. */
export type Cells = readonly [what: string, vbs: string, peer: string, ratio: string, aim: string, met: string];

export function cellsOf(row: Row): Cells {
  if (row.kind !== 'measured') return [row.what, row.kind, row.reason, '', '', row.kind === 'failed' ? 'no' : ''];
  const { what, unit, vbs, peer, aims } = row;
  const { ratio, difference, met } = verdictOf(row);
  return [
    what,
    saySamples(vbs, unit),
    peer === undefined ? '' : `${peer.name}: ${saySamples(peer.samples, unit)}`,
    ratio === null ? '' : `${sayNumber(ratio)}${sayDifference(difference, row)}`,
    aims.map((aim) => sayAim(aim, unit)).join(', '),
    met === null ? '' : met ? 'yes' : 'no',
  ];
}

/** `4.57 ms (4.2–9.81)`: the median, the least and the most. */
function saySamples(samples: readonly number[], unit: string): string {
  const { median, min, max, runs } = spreadOf(samples);
  const range = runs === 1 ? '' : ` (${sayNumber(min)}–${sayNumber(max)})`;
  return `${sayNumber(median)} ${unit}${range}`;
}

function sayDifference(difference: number | null, { aims, unit }: MeasuredRow): string {
  if (difference === null || !aims.some(({ kind }) => kind === 'difference-at-most')) return '';
  return ` (${difference < 0 ? '−' : '+'}${sayNumber(Math.abs(difference))} ${unit})`;
}
