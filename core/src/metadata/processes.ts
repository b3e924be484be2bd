import type { Knex } from 'knex';
import type { Dialect } from './database/dialect.js';

/** A process that works on this store; its operations are its own while its lease lasts. */
export interface ProcessRecord {
  readonly id: string;
  /** JSON of its pid, start time, boot id and host name. */
  readonly identity: string;
  readonly endpoint: string | null;
  readonly leaseExpiresAt: number;
}

const leaseFromNow = (trx: Knex, dialect: Dialect, leaseMs: number): Knex.Raw => trx.raw('? + ?', [dialect.now(), leaseMs]);

export async function insertProcess(
  trx: Knex.Transaction,
  dialect: Dialect,
  process: { id: string; identity: string; endpoint: string | null },
  leaseMs: number,
): Promise<void> {
  await trx('processes').insert({ ...process, lease_expires_at: leaseFromNow(trx, dialect, leaseMs) });
}

/** Renews by the database's clock (safety B3). Answers false when the process is not known any more. */
export async function renewProcess(trx: Knex.Transaction, dialect: Dialect, id: string, leaseMs: number): Promise<boolean> {
  return (
    (await trx('processes')
      .where({ id })
      .update({ lease_expires_at: leaseFromNow(trx, dialect, leaseMs) })) === 1
  );
}

/** Ends the lease now: the process is known dead, or closes. */
export async function expireProcess(trx: Knex.Transaction, id: string): Promise<void> {
  await trx('processes').where({ id }).update({ lease_expires_at: 0 });
}

/** The other processes, with whether their lease is over by the database's clock. */
export async function otherProcesses(
  db: Knex,
  dialect: Dialect,
  ownId: string,
): Promise<{ id: string; identity: string; endpoint: string | null; expired: boolean }[]> {
  const rows: { id: string; identity: string; endpoint: string | null; expired: number | boolean }[] = await db('processes')
    .whereNot({ id: ownId })
    .select('id', 'identity', 'endpoint', db.raw('(lease_expires_at < ?) as expired', [dialect.now()]));
  return rows.map((row) => ({ ...row, expired: Boolean(row.expired) }));
}

/** Forgets ended processes that own no operation. */
export async function forgetProcesses(trx: Knex.Transaction, ownId: string): Promise<void> {
  await trx('processes')
    .whereNot({ id: ownId })
    .where('lease_expires_at', 0)
    .whereNotIn('id', trx('operations').whereNotNull('owner').select('owner'))
    .delete();
}
