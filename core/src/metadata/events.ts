import type { Knex } from 'knex';
import { fromJournalText, toJournalText } from './json.js';

/** Something that happened to a resource. `sequence` grows; a reader goes on after the last one it saw. */
export interface StoreEvent {
  readonly sequence: number;
  /** RFC 3339. */
  readonly at: string;
  /** `volume.available`, `attachment.detached`, `operation.stuck`, … */
  readonly type: string;
  readonly resourceId: string;
  readonly operationId: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface NewEvent {
  readonly type: string;
  readonly resourceId: string;
  readonly operationId: string | null;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** How many events are kept; older ones are dropped. */
export const keptEvents = 100_000;

export async function insertEvents(trx: Knex.Transaction, events: readonly NewEvent[], now: number): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ type, resourceId, operationId, data }) => ({
    at: now,
    type,
    resource_id: resourceId,
    operation_id: operationId,
    data: toJournalText(data ?? {}),
  }));
  const [last]: { seq: number }[] = (await trx('events').insert(rows).returning('seq')).slice(-1);
  if (last !== undefined && last.seq % 1_000 < rows.length)
    await trx('events')
      .where('seq', '<=', last.seq - keptEvents)
      .delete();
}

export async function listEvents(db: Knex, after: number, limit: number): Promise<StoreEvent[]> {
  const rows: { seq: number; at: number; type: string; resource_id: string; operation_id: string | null; data: string }[] = await db(
    'events',
  )
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit);
  return rows.map((row) => ({
    sequence: row.seq,
    at: new Date(row.at).toISOString(),
    type: row.type,
    resourceId: row.resource_id,
    operationId: row.operation_id,
    data: fromJournalText(row.data),
  }));
}

/** The sequence of the oldest event that is kept; null when there was none. */
export async function firstEventSequence(db: Knex): Promise<number | null> {
  const rows: { seq: number }[] = await db('events').orderBy('seq').limit(1).select('seq');
  return rows[0]?.seq ?? null;
}

/** The sequence of the newest event; 0 when there was none. */
export async function lastEventSequence(db: Knex): Promise<number> {
  const rows: { seq: number }[] = await db('events').orderBy('seq', 'desc').limit(1).select('seq');
  return rows[0]?.seq ?? 0;
}
