import type { Aim, MeasuredRow, Peer } from '../row.js';
import { sayNumber } from './say-number.js';
import { compare, median } from './statistics.js';

/** What a row comes to. */
export interface Verdict {
  /** VBS over the peer; null without one. */
  readonly ratio: number | null;
  /** VBS less the peer, in the row's unit; null without one. */
  readonly difference: number | null;
  /** Whether every aim is met; null where there is none. */
  readonly met: boolean | null;
}

/** @throws TypeError: an aim compares with a peer, and the row has none. */
export function verdictOf({ vbs, peer, aims }: MeasuredRow): Verdict {
  const ratio = compareWith(peer, vbs, (one, other) => one / other);
  const difference = compareWith(peer, vbs, (one, other) => one - other);
  const reached = { median: median(vbs), ratio, difference };
  return { ratio, difference, met: aims.length === 0 ? null : aims.every((aim) => isMet(aim, reached)) };
}

function compareWith(peer: Peer | undefined, vbs: readonly number[], by: (one: number, other: number) => number): number | null {
  return peer === undefined ? null : compare(vbs, peer.samples, by);
}

interface Reached {
  readonly median: number;
  readonly ratio: number | null;
  readonly difference: number | null;
}

function isMet({ kind, value }: Aim, reached: Reached): boolean {
  switch (kind) {
    case 'at-most':
      return reached.median <= value;
    case 'at-least':
      return reached.median >= value;
    case 'ratio-at-most':
      return withPeer(reached.ratio) <= value;
    case 'ratio-at-least':
      return withPeer(reached.ratio) >= value;
    case 'difference-at-most':
      return withPeer(reached.difference) <= value;
  }
}

function withPeer(compared: number | null): number {
  if (compared === null) throw new TypeError('an aim compares with a peer, and the row has none');
  return compared;
}

/** An aim in words: `≤ 3 ms more`, `≥ 0.8 ×`. */
export function sayAim({ kind, value }: Aim, unit: string): string {
  const number = sayNumber(value);
  switch (kind) {
    case 'at-most':
      return `≤ ${number} ${unit}`;
    case 'at-least':
      return `≥ ${number} ${unit}`;
    case 'ratio-at-most':
      return `≤ ${number} ×`;
    case 'ratio-at-least':
      return `≥ ${number} ×`;
    case 'difference-at-most':
      return `≤ ${number} ${unit} more`;
  }
}
