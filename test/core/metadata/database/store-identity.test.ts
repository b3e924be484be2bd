import { migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { currentEpoch, knownPools, nextEpoch, rememberPool, storeId } from '@vbs/core/internal/metadata/database/store-identity.js';
import test, { type ExecutionContext } from 'ava';
import { firstMigration, newDatabase, newFolder, open, silent, startChild } from './fixture.js';

async function newStore(t: ExecutionContext): Promise<{ readonly filename: string; readonly database: Database }> {
  const made = await newDatabase(t);
  await migrate(made.database, [firstMigration], { log: silent });
  return made;
}

test('storeId › is drawn once: 32 hex digits, other ones in another store', async (t) => {
  const { filename, database } = await newStore(t);
  const id = await storeId(database);
  t.regex(id, /^[0-9a-f]{32}$/);
  t.is(await storeId(database), id);
  t.is(await storeId(await open(t, filename)), id);
  t.not(await storeId((await newStore(t)).database), id);
});

test('storeId › three processes that ask first at once get the same', async (t) => {
  const filename = `${await newFolder(t)}/vbs.sqlite`;
  const children = Array.from({ length: 3 }, () => startChild(t, 'identify', [filename]));
  const ids = new Set(await Promise.all(children.map((child) => child.next())));
  t.is(ids.size, 1, JSON.stringify([...ids]));
  t.regex(String([...ids][0]), /^[0-9a-f]{32}$/);
});

test('storeId › refuses what somebody wrote there by hand', async (t) => {
  const { database } = await newStore(t);
  await database.knex('store').insert({ key: 'id', value: 'my store' });
  await t.throwsAsync(storeId(database), { code: 'FAILED_PRECONDITION' });
});

test('nextEpoch › counts from 1, never the same twice', async (t) => {
  const { database } = await newStore(t);
  t.is(await currentEpoch(database.knex), 0);
  const drawn = await Promise.all(Array.from({ length: 20 }, () => database.transaction(nextEpoch)));
  t.deepEqual(
    drawn.sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
  t.is(await currentEpoch(database.knex), 20);
});

test('nextEpoch › is not raised by a transaction that is rolled back', async (t) => {
  const { database } = await newStore(t);
  await t.throwsAsync(
    database.transaction(async (trx) => {
      await nextEpoch(trx);
      throw new Error('no');
    }),
  );
  t.is(await database.transaction(nextEpoch), 1);
});

for (const value of ['many', '-1', '1.5', String(Number.MAX_SAFE_INTEGER), '']) {
  test(`nextEpoch › refuses to count on from "${value}"`, async (t) => {
    const { database } = await newStore(t);
    await database.knex('store').insert({ key: 'epoch', value });
    await t.throwsAsync(database.transaction(nextEpoch), { code: 'FAILED_PRECONDITION' });
  });
}

test('rememberPool › is remembered, once, by name', async (t) => {
  const { filename, database } = await newStore(t);
  t.deepEqual(await knownPools(database.knex), new Set());
  for (const name of ['vs1/fast', 'vs1/slow', 'vs1/fast']) await database.transaction((trx) => rememberPool(trx, name));
  await storeId(database);
  t.deepEqual(await knownPools((await open(t, filename)).knex), new Set(['vs1/fast', 'vs1/slow']));
});
