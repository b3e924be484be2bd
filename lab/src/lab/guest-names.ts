import { VbsError } from '@vbs/core';
import { type GuestKind, guestKinds } from '../kinds.js';

const mostGuests = 32;

export interface NamedGuest {
  readonly name: string;
  readonly kind: GuestKind;
}

/** Guests by their names, which are `storage` guests, or names with the kind of each: `{ vs1: 'storage', dom0: 'xen' }`. */
export type WantedGuests = readonly string[] | Readonly<Record<string, GuestKind>>;

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

function requireKind(kind: string): GuestKind {
  const found = guestKinds.find((one) => one === kind);
  if (found !== undefined) return found;
  throw new VbsError('INVALID_ARGUMENT', `guests: a kind is ${guestKinds.join(' or ')}; not "${kind}".`);
}

/** The wanted guests with their kinds, in their order. @throws INVALID_ARGUMENT: as `requireNames`, or a kind is none. */
export function namedGuests(wanted: WantedGuests): readonly NamedGuest[] {
  const guests: readonly (readonly [string, string])[] = isList(wanted) ? wanted.map((name) => [name, 'storage']) : Object.entries(wanted);
  requireNames(guests.map(([name]) => name));
  return guests.map(([name, kind]) => ({ name, kind: requireKind(kind) }));
}

/** Guests as `Lab.up` takes them. */
export function asWanted(guests: readonly NamedGuest[]): Readonly<Record<string, GuestKind>> {
  return Object.fromEntries(guests.map(({ name, kind }) => [name, kind]));
}

/** Reads guests as a person writes them: how many, or names with commas between, with the kind where it is another: `vs1,dom0:xen`. */
export function parseGuests(text: string): readonly NamedGuest[] {
  if (/^\d+$/.test(text)) return namedGuests(defaultGuests(Number(text)));
  const guests = text.split(',').map((word) => word.split(':', 2) as [string, string?]);
  requireNames(guests.map(([name]) => name));
  return guests.map(([name, kind = 'storage']) => ({ name, kind: requireKind(kind) }));
}

/** The place of a guest among those of its lab, from 1: the last part of its addresses. */
export function numberOf(names: readonly string[], name: string): number {
  return names.indexOf(name) + 1;
}

function isList(wanted: WantedGuests): wanted is readonly string[] {
  return Array.isArray(wanted);
}
