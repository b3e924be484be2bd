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
