import type { Knex } from 'knex';

export type LeaseMode = 'exclusive' | 'shared';

/** What an operation reads (`shared`) or changes (`exclusive`), by resource id. */
export type LeaseSet = Readonly<Record<string, LeaseMode>>;

interface LeaseRow {
  readonly resource_id: string;
  readonly operation_id: string;
  readonly mode: LeaseMode;
}

const inOrder = (leases: LeaseSet): string[] => Object.keys(leases).sort();

/** Another operation that holds a resource. */
export interface LeaseConflict {
  readonly resourceId: string;
  readonly operationId: string;
}

/** Who holds what an operation needs; null when all of it is free. */
export async function findLeaseConflict(trx: Knex.Transaction, leases: LeaseSet): Promise<LeaseConflict | null> {
  const ids = inOrder(leases);
  if (ids.length === 0) return null;
  const held: LeaseRow[] = await trx('leases').whereIn('resource_id', ids).orderBy('resource_id');
  const conflict = held.find((lease) => lease.mode === 'exclusive' || leases[lease.resource_id] === 'exclusive');
  return conflict === undefined ? null : { resourceId: conflict.resource_id, operationId: conflict.operation_id };
}

/** Takes every lease of an operation, in order of id (safety C4), once {@link findLeaseConflict} found none in the same transaction. */
export async function insertLeases(trx: Knex.Transaction, operationId: string, leases: LeaseSet): Promise<void> {
  await trx('leases').insert(inOrder(leases).map((id) => ({ resource_id: id, operation_id: operationId, mode: leases[id] })));
}

export async function releaseLeases(trx: Knex.Transaction, operationId: string): Promise<void> {
  await trx('leases').where({ operation_id: operationId }).delete();
}

/** The resources that some operation holds now. */
export async function leasedResources(db: Knex): Promise<ReadonlySet<string>> {
  const rows: { resource_id: string }[] = await db('leases').distinct('resource_id');
  return new Set(rows.map((row) => row.resource_id));
}
