import type { Knex } from 'knex';

/** How many operations one transaction forgets at most, so that nobody waits long for it. */
const batch = 200;

/**
 * Forgets operations that ended before then, with their journal, and deleted exports that nothing refers to; at most a batch of each,
 * the oldest first. Ids stay: they are never given out again. Answers whether there may be more.
 */
export async function pruneEnded(trx: Knex.Transaction, endedBefore: number): Promise<boolean> {
  const operations = await endedOperations(trx, endedBefore);
  if (operations.length > 0) {
    await trx('operation_steps').whereIn('operation_id', operations).delete();
    await trx('operations').whereIn('id', operations).delete();
  }
  const exports = await unusedExports(trx, endedBefore);
  if (exports.length > 0) {
    await trx('numbers').whereIn('export_id', exports).delete();
    await trx('exports').whereIn('id', exports).delete();
  }
  return operations.length === batch || exports.length === batch;
}

async function endedOperations(trx: Knex.Transaction, endedBefore: number): Promise<string[]> {
  return trx('operations').whereNull('owner').where('updated_at', '<', endedBefore).orderBy('updated_at').limit(batch).pluck('id');
}

async function unusedExports(trx: Knex.Transaction, endedBefore: number): Promise<string[]> {
  const refers = (table: string) => trx(table).whereRaw('?? = ??', [`${table}.export_id`, 'exports.id']);
  return trx('exports')
    .where({ state: 'deleted' })
    .where('created_at', '<', endedBefore)
    .whereNotExists(refers('attachments'))
    .whereNotExists(refers('numbers').where({ state: 'taken' }))
    .orderBy('created_at')
    .limit(batch)
    .pluck('id');
}
