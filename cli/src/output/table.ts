import Table from 'cli-table3';
import { printable } from './printable.js';
import { textWidth } from './text-width.js';

/** One column of a table of `T`. */
export interface Column<T> {
  readonly title: string;
  readonly of: (item: T) => string | null;
  /** Its text may be cut to this width when the terminal is narrow; ids and states are never cut. */
  readonly least?: number;
  /** What is left out first on a narrow terminal: the highest number. Without one it stays. */
  readonly leaveOut?: number;
}

const gap = 2;
const nothing = '-';
const noLines = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((name) => [name, '']),
);

/** The rows as lines without borders or colours, fitted to `width` columns; `undefined`: as wide as they are. */
export function tableOf<T>(items: readonly T[], columns: readonly Column<T>[], width: number | undefined): string {
  const shown = columns.map((column) => {
    const cells = items.map((item) => printable(column.of(item) ?? nothing));
    return { column, cells, width: Math.max(textWidth(column.title), ...cells.map(textWidth)) };
  });
  const fitted = width === undefined ? shown : fit(shown, width);
  const last = fitted.length - 1;
  const table = new Table({
    chars: noLines,
    head: fitted.map(({ column }) => column.title),
    colWidths: fitted.map(({ width: own }, index) => own + (index === last ? 0 : gap)),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  for (let row = 0; row < items.length; row++) table.push(fitted.map(({ cells, width: own }) => cutTo(cells[row] ?? nothing, own)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

interface Shown<T> {
  readonly column: Column<T>;
  readonly cells: readonly string[];
  readonly width: number;
}

/** Cuts what may be cut, then leaves out what may be left out, until the rest fits or nothing more can go. */
function fit<T>(shown: readonly Shown<T>[], width: number): readonly Shown<T>[] {
  const total = (columns: readonly Shown<T>[]): number => columns.reduce((sum, { width: own }) => sum + own + gap, -gap);
  let kept = shown;
  for (;;) {
    const over = total(kept) - width;
    if (over <= 0) return kept;
    const cut = shrink(kept, over);
    if (total(cut) <= width) return cut;
    const leaves = kept.filter(({ column }) => column.leaveOut !== undefined);
    const next = leaves.sort((one, other) => (other.column.leaveOut ?? 0) - (one.column.leaveOut ?? 0))[0];
    if (next === undefined) return cut;
    kept = kept.filter((one) => one !== next);
  }
}

function shrink<T>(shown: readonly Shown<T>[], over: number): readonly Shown<T>[] {
  let left = over;
  return shown.map((one) => {
    const { least } = one.column;
    if (least === undefined || left <= 0) return one;
    const width = Math.max(Math.min(one.width, Math.max(least, textWidth(one.column.title))), one.width - left);
    left -= one.width - width;
    return { ...one, width };
  });
}

function cutTo(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let cut = '';
  for (const character of text) {
    if (textWidth(cut + character) > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}
