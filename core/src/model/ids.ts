import { createHash } from 'node:crypto';
import { VbsError } from '../errors.js';
import { shown } from './shown.js';

/** The prefix of each kind of id. */
export const idPrefixes = { volume: 'vol', snapshot: 'snap', attachment: 'att', export: 'exp', operation: 'op' } as const;
/** What an id is of; each kind has a prefix. */
export type IdKind = keyof typeof idPrefixes;

const digits = 17;
const patterns = Object.fromEntries(
  Object.entries(idPrefixes).map(([kind, prefix]) => [kind, new RegExp(`^${prefix}-[0-9a-f]{${digits}}$`)]),
) as Record<IdKind, RegExp>;

/** An id of the kind: its prefix and 17 hex digits of the hash of a UUID. */
export function idFrom(kind: IdKind, uuid: string): string {
  return `${idPrefixes[kind]}-${createHash('sha256').update(uuid).digest('hex').slice(0, digits)}`;
}

/** Whether a text has the form of an id of the kind; it may be of nothing that exists. */
export function isId(kind: IdKind, value: string): boolean {
  return patterns[kind].test(value);
}

/** The id, if it has the form of its kind. @throws INVALID_ARGUMENT */
export function requireId(kind: IdKind, value: unknown, field: string): string {
  if (typeof value === 'string' && isId(kind, value)) return value;
  throw new VbsError(
    'INVALID_ARGUMENT',
    `${field} must be the id of ${/^[aeo]/.test(kind) ? 'an' : 'a'} ${kind}, ${idPrefixes[kind]}- and ${digits} hex digits; got ${shown(value)}`,
    { context: { field } },
  );
}

/** The serial number that a guest sees on a volume's disk (safety E2): the volume id without its hyphen, 20 characters. */
export function serialOf(volumeId: string): string {
  return volumeId.replace('-', '');
}
