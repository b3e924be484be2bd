import type { Knex } from 'knex';

/** How many operations one transaction forgets at most, so that nobody waits long for it. */
const batch = 200;

/**
 * Forgets operations that ended before then, with their journal, and deleted exports that nothing refers to; at most a batch of each.
 * Ids stay: they are never given out again. Answers whether there may be more.
 */
export async function pruneEnded(trx: Knex.Transaction, endedBefore: number): Promise<boolean> {
  const ended: { id: string }[] = await trx('operations')
    .whereIn('state', ['succeeded', 'failed'])
    .where('updated_at', '<', endedBefore)
    .orderBy('seq')
    .limit(batch)
    .select('id');
  const ids = ended.map(({ id }) => id);
  await trx('operation_steps').whereIn('operation_id', ids).delete();
  await trx('operations').whereIn('id', ids).delete();
  const unused: { id: string }[] = await trx('exports')
    .where({ state: 'deleted' })
    .where('created_at', '<', endedBefore)
    .whereNotIn('id', trx('attachments').select('export_id'))
    .whereNotIn('id', trx('numbers').where({ state: 'taken' }).select('export_id'))
    .orderBy('seq')
    .limit(batch)
    .select('id');
  const exportIds = unused.map(({ id }) => id);
  await trx('numbers').whereIn('export_id', exportIds).delete();
  await trx('exports').whereIn('id', exportIds).delete();
  return ids.length === batch || exportIds.length === batch;
}
