import { VbsError } from '@vbs/core';

const mostGuests = 32;

/** The names of so many guests: a volume server, and VMM nodes. */
export function defaultGuests(count: number): readonly string[] {
  if (!Number.isInteger(count) || count < 1 || count > mostGuests)
    throw new VbsError('INVALID_ARGUMENT', `guests: 1 to ${mostGuests}, not ${count}.`);
  return ['vs1', ...Array.from({ length: count - 1 }, (_, place) => `node${place + 1}`)];
}

/** @throws INVALID_ARGUMENT: they are no host names, one is there twice, or there are too many. */
export function requireNames(names: readonly string[]): readonly string[] {
  const bad = names.find((name) => !/^[a-z][a-z0-9-]{0,30}$/.test(name) || name === 'localhost');
  if (bad !== undefined)
    throw new VbsError('INVALID_ARGUMENT', `guests: a name is a lower-case letter, then letters, digits and hyphens; not "${bad}".`);
  if (new Set(names).size !== names.length) throw new VbsError('INVALID_ARGUMENT', 'guests: a name is there twice.');
  if (names.length < 1 || names.length > mostGuests) throw new VbsError('INVALID_ARGUMENT', `guests: 1 to ${mostGuests}.`);
  return names;
}

/** The place of a guest among those of its lab, from 1: the last part of its addresses. */
export function numberOf(names: readonly string[], name: string): number {
  return names.indexOf(name) + 1;
}
