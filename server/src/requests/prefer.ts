import { VbsError } from '@vbs/core';
import type { FastifyRequest } from 'fastify';
import { invalid } from '../problems/refusal.js';

/** How long a call waits for its operation when its caller says nothing. */
export const usualWaitMs = 30_000;
export const longestWaitSeconds = 300;

export interface Preference {
  readonly waitMs: number;
  /** What `Preference-Applied` says. */
  readonly applied: string;
}

/**
 * What the caller prefers (RFC 7240): `wait=N` in seconds, or `respond-async`, which is a wait of 0 unless a wait stands beside it.
 * Null where it says neither; preferences of others are not ours to look at.
 * @throws INVALID_ARGUMENT, OUT_OF_RANGE: N is no whole number from 0 to 300.
 */
export function preferenceOf({ headers }: Pick<FastifyRequest, 'headers'>): Preference | null {
  const { prefer } = headers;
  if (prefer === undefined) return null;
  const given = String(prefer).split(',').map(readItem);
  const wait = given.find(({ name }) => name === 'wait');
  if (wait !== undefined) return waiting(wait.value);
  return given.some(({ name }) => name === 'respond-async') ? { waitMs: 0, applied: 'respond-async' } : null;
}

/** A preference without its parameters. Read by hand: a pattern that backtracks over a long header holds the whole process. */
function readItem(item: string): { readonly name: string; readonly value: string } {
  const [preference = ''] = item.split(';', 1);
  const equals = preference.indexOf('=');
  const name = equals < 0 ? preference : preference.slice(0, equals);
  const value = equals < 0 ? '' : preference.slice(equals + 1).trim();
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return { name: name.trim().toLowerCase(), value: isQuoted ? value.slice(1, -1) : value };
}

function waiting(text: string): Preference {
  const legal = `Prefer: wait=N must have a whole number of seconds from 0 to ${longestWaitSeconds}`;
  if (!/^-?[0-9]{1,15}$/.test(text)) throw invalid('Prefer', legal);
  const seconds = Number(text);
  if (seconds < 0 || seconds > longestWaitSeconds)
    throw new VbsError('OUT_OF_RANGE', legal, { context: { field: 'Prefer', least: 0, most: longestWaitSeconds } });
  return { waitMs: seconds * 1_000, applied: `wait=${seconds}` };
}
