import type { Knex } from 'knex';
import { VbsError } from '../errors.js';

/** What every list takes. */
export interface PageRequest {
  /** 100 unless told; at most 1000. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** A part of a list, in the order of its keys. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Null on the last page. */
  readonly nextCursor: string | null;
}

const defaultLimit = 100;
const maxLimit = 1000;

function limitOf({ limit = defaultLimit }: PageRequest): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxLimit) return limit;
  throw new VbsError(
    typeof limit === 'number' ? 'OUT_OF_RANGE' : 'INVALID_ARGUMENT',
    `limit must be a whole number from 1 to ${maxLimit}`,
    { context: { field: 'limit' } },
  );
}

function positionOf({ cursor }: PageRequest): number {
  if (cursor === undefined) return 0;
  const text = typeof cursor === 'string' && cursor.length <= 32 ? Buffer.from(cursor, 'base64url').toString() : '';
  const match = /^s([0-9]{1,15})$/.exec(text);
  if (match === null)
    throw new VbsError('INVALID_ARGUMENT', 'cursor must be the nextCursor of an earlier page', { context: { field: 'cursor' } });
  return Number(match[1]);
}

/** One page of a query over a table with a `seq` key, oldest first, by key set: its cost does not grow with the position. */
export async function readPage<Row extends { seq: number }>(query: Knex.QueryBuilder, request: PageRequest): Promise<Page<Row>> {
  const limit = limitOf(request);
  const rows: Row[] = await query
    .where('seq', '>', positionOf(request))
    .orderBy('seq')
    .limit(limit + 1);
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? Buffer.from(`s${last.seq}`).toString('base64url') : null };
}
