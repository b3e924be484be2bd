import { failure } from '../client/failure.js';

const unitMs: Readonly<Record<string, number>> = { '': 1_000, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
/** Beyond it a timer ends at once. */
const mostMs = 2 ** 31 - 1;

/** A duration: `90`, `90s`, `5m`, `2h`; in milliseconds. @throws INVALID_ARGUMENT */
export function parseDuration(text: string, flags: string): number {
  const [, number, unit = ''] = /^(\d{1,10}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (unitMs[unit] ?? Number.NaN));
  if (ms > 0 && ms <= mostMs) return ms;
  throw wrong(flags, 'must be a time above 0 such as 90, 90s, 5m or 2h, and at most 24 days');
}

/** A whole number of a range. @throws INVALID_ARGUMENT */
export function parseNumber(least: number, most: number): (text: string, flags: string) => number {
  return (text, flags) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw wrong(flags, `must be a whole number from ${least} to ${most}`);
  };
}

export type Kind = 'volume' | 'snapshot' | 'attachment' | 'operation';
const prefixes: Readonly<Record<Kind, string>> = { volume: 'vol', snapshot: 'snap', attachment: 'att', operation: 'op' };
const longestShown = 40;

/** An id of a kind: what has another shape never leaves the command line. @throws INVALID_ARGUMENT */
export function requireId(kind: Kind, text: string, field: string): string {
  const prefix = prefixes[kind];
  if (new RegExp(`^${prefix}-[0-9a-f]{17}$`).test(text)) return text;
  const shown = text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
  throw failure('INVALID_ARGUMENT', `${field} must be the id of a ${kind}, ${prefix}- and 17 hex digits; got "${shown}"`, {
    context: { field },
  });
}

function wrong(flags: string, what: string) {
  return failure('INVALID_ARGUMENT', `${flags} ${what}`, { context: { field: flags.replace(/^.*--([a-z-]+).*$/, '$1') } });
}
