import type { Knex } from 'knex';
import type { AddressRange } from '../contract/target-exporter.js';
import { VbsError } from '../errors.js';

/** Draws the lowest number of a space that nobody holds, for an export. @throws RESOURCE_EXHAUSTED: all are taken. */
export async function takeNumber(trx: Knex.Transaction, { space, first, last }: AddressRange, exportId: string): Promise<number> {
  const taken: { number: number }[] = await trx('numbers')
    .where({ space, state: 'taken' })
    .whereBetween('number', [first, last])
    .orderBy('number')
    .select('number');
  let number = first;
  for (const row of taken) {
    if (row.number !== number) break;
    number += 1;
  }
  if (number > last)
    throw new VbsError('RESOURCE_EXHAUSTED', `every number of ${space} from ${first} to ${last} is taken`, { context: { space } });
  await trx('numbers').insert({ space, number, export_id: exportId, state: 'taken' });
  return number;
}

/** Gives an export's number back. */
export async function freeNumber(trx: Knex.Transaction, exportId: string): Promise<void> {
  await trx('numbers').where({ export_id: exportId, state: 'taken' }).update({ state: 'free' });
}

/**
 * Holds the number that an export once drew, so that nobody draws it meanwhile; nothing where it never had one. Answers null, or the export
 * that has the number now, which keeps it.
 */
export async function holdNumber(trx: Knex.Transaction, exportId: string): Promise<string | null> {
  const drawn: { space: string; number: number } | undefined = await trx('numbers').where({ export_id: exportId }).first('space', 'number');
  if (drawn === undefined) return null;
  const holder: { export_id: string } | undefined = await trx('numbers')
    .where({ ...drawn, state: 'taken' })
    .whereNot({ export_id: exportId })
    .first('export_id');
  if (holder !== undefined) return holder.export_id;
  await trx('numbers').where({ export_id: exportId }).update({ state: 'taken' });
  return null;
}

/** Gives back the numbers of deleted exports that a node may have been left with, and of which it shows nothing any more. */
export async function freeNumbersOfNode(
  trx: Knex.Transaction,
  { node, initiators, keys }: { readonly node: string; readonly initiators: readonly string[]; readonly keys: readonly string[] },
): Promise<void> {
  const released = trx('exports')
    .whereRaw('?? = ??', ['exports.id', 'numbers.export_id'])
    .where({ state: 'deleted', node })
    .where((through) => through.whereNull('initiator').orWhereIn('initiator', initiators))
    .whereNotNull('connection_key')
    .whereNotIn('connection_key', keys)
    .select('id');
  await trx('numbers').where({ state: 'taken' }).whereExists(released).update({ state: 'free' });
}
