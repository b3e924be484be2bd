import { randomUUID } from 'node:crypto';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { exportsTable } from '@vbs/core/internal/metadata/exports.js';
import { drawId, drawIds } from '@vbs/core/internal/metadata/ids.js';
import { freeNumber, takeNumber } from '@vbs/core/internal/metadata/numbers.js';
import { idFrom, isId } from '@vbs/core/internal/model/ids.js';
import test from 'ava';
import { newTables } from './fixture.js';

const range = { space: 'vs1/shelf', first: 3, last: 5 };

/** A number of the range for a new export; answers both. */
function take(database: Database, addresses = range): Promise<{ readonly id: string; readonly number: number }> {
  return database.transaction(async (trx) => {
    const id = await drawId(trx, 'export', randomUUID, 0);
    const volumeId = await drawId(trx, 'volume', randomUUID, 0);
    await exportsTable.insert(trx, {
      id,
      volumeId,
      state: 'live',
      attachmentId: null,
      node: null,
      initiator: null,
      exporter: 'vs1/aoe',
      access: 'read-write',
      initiators: null,
      connection: null,
      connectionKey: null,
      address: null,
      createdAt: 0,
    });
    return { id, number: await takeNumber(trx, addresses, id) };
  });
}

test('takeNumber › gives the lowest that is free, and one that was given back again', async (t) => {
  const database = await newTables(t);
  const taken = [await take(database), await take(database), await take(database)];
  t.deepEqual(
    taken.map(({ number }) => number),
    [3, 4, 5],
  );
  await database.transaction((trx) => freeNumber(trx, taken[1]?.id ?? ''));
  t.is((await take(database)).number, 4);
});

test('takeNumber › of a range that is all taken is RESOURCE_EXHAUSTED that names it, and another space is its own', async (t) => {
  const database = await newTables(t);
  for (let count = 0; count < 3; count += 1) await take(database);
  const error = await t.throwsAsync(take(database), { code: 'RESOURCE_EXHAUSTED', message: /vs1\/shelf from 3 to 5/ });
  t.like(error, { context: { space: 'vs1/shelf' } });
  t.is((await take(database, { ...range, space: 'vs2/shelf' })).number, 3);
});

test('takeNumber › calls at once never get the same', async (t) => {
  const database = await newTables(t);
  const wide = { ...range, last: 100 };
  const taken = await Promise.all(Array.from({ length: 20 }, () => take(database, wide)));
  t.is(new Set(taken.map(({ number }) => number)).size, 20);
});

test('drawId › draws another when the id was ever used, of whatever kind', async (t) => {
  const database = await newTables(t);
  const [used, fresh] = ['00000000-0000-4000-8000-000000000000', randomUUID()];
  const first = await database.transaction((trx) => drawId(trx, 'volume', () => used, 0));
  t.true(isId('volume', first));
  t.is(first, idFrom('volume', used));
  const draws = [used, used, fresh];
  const second = await database.transaction((trx) => drawId(trx, 'volume', () => draws.shift() ?? '', 0));
  t.is(second, idFrom('volume', fresh));
});

test('drawId › with a newId that gives the same again and again says so', async (t) => {
  const database = await newTables(t);
  await database.transaction((trx) => drawId(trx, 'volume', () => 'same', 0));
  await t.throwsAsync(
    database.transaction((trx) => drawId(trx, 'volume', () => 'same', 0)),
    { code: 'INTERNAL', message: /newId service must give random UUIDs/ },
  );
});

test('drawIds › gives each its own where one id comes twice in a draw, and keeps the order of the kinds', async (t) => {
  const database = await newTables(t);
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  const draws = [first, second, second, third];
  const ids = await database.transaction((trx) => drawIds(trx, ['operation', 'volume', 'volume'], () => draws.shift() ?? '', 0));
  t.deepEqual(ids, [idFrom('operation', first), idFrom('volume', second), idFrom('volume', third)]);
});
