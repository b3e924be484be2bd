import type { Knex } from 'knex';
import { VbsError } from '../errors.js';
import { type IdKind, idFrom } from '../model/ids.js';

const maxDraws = 8;

/** Draws an id that no resource ever had; on a collision another one. */
export async function drawId(trx: Knex.Transaction, kind: IdKind, newId: () => string, now: number): Promise<string> {
  for (let draw = 0; draw < maxDraws; draw += 1) {
    const id = idFrom(kind, newId());
    const inserted: unknown[] = await trx('ids').insert({ id, created_at: now }).onConflict('id').ignore().returning('id');
    if (inserted.length === 1) return id;
  }
  throw new VbsError('INTERNAL', `no free ${kind} id in ${maxDraws} draws; the newId service must give random UUIDs`);
}
