import type { Knex } from 'knex';
import { VbsError } from '../errors.js';
import { type IdKind, idFrom } from '../model/ids.js';

const maxDraws = 8;

/** Draws ids that no resource ever had, one for each kind, in order, in one statement; on a collision another one. */
export async function drawIds<const K extends readonly IdKind[]>(
  trx: Knex.Transaction,
  kinds: K,
  newId: () => string,
  now: number,
): Promise<{ readonly [I in keyof K]: string }> {
  const wanted = kinds.map((kind) => ({ kind, id: '', isDrawn: false }));
  for (let draw = 0; draw < maxDraws; draw += 1) {
    const missing = wanted.filter(({ isDrawn }) => !isDrawn);
    for (const one of missing) one.id = idFrom(one.kind, newId());
    const rows = missing.map(({ id }) => ({ id, created_at: now }));
    const inserted: { id: string }[] = await trx('ids').insert(rows).onConflict('id').ignore().returning('id');
    const free = new Set(inserted.map(({ id }) => id));
    // Of an id that came twice in one draw, one has it.
    for (const one of missing) one.isDrawn = free.delete(one.id);
    // As many as kinds, in their order: which TypeScript cannot follow through map.
    if (wanted.every(({ isDrawn }) => isDrawn)) return wanted.map(({ id }) => id) as unknown as { readonly [I in keyof K]: string };
  }
  const missing = wanted.find(({ isDrawn }) => !isDrawn)?.kind;
  throw new VbsError('INTERNAL', `no free ${missing} id in ${maxDraws} draws; the newId service must give random UUIDs`);
}

/** Draws an id that no resource ever had. */
export async function drawId(trx: Knex.Transaction, kind: IdKind, newId: () => string, now: number): Promise<string> {
  const [id] = await drawIds(trx, [kind], newId, now);
  return id;
}
