import { randomUUID } from 'node:crypto';
import { VbsError } from '@vbs/core';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { UniqueViolation } from '@vbs/core/internal/metadata/database/unique-violation.js';
import test from 'ava';
import { newCounters, newDatabase, open, startChild } from './fixture.js';

const increment = (database: Database) =>
  database.transaction(async (trx) => {
    const row = await trx('counters').where({ name: 'a' }).first('value');
    await trx('counters')
      .where({ name: 'a' })
      .update({ value: row.value + 1 });
  });

const valueIn = async (database: Database) => (await database.knex('counters').where({ name: 'a' }).first('value')).value;

test('transaction › loses none of 4 × 100 changes by four processes', async (t) => {
  t.timeout(60_000);
  const { filename, database } = await newCounters(t);
  const children = Array.from({ length: 4 }, () => startChild(t, 'count', [filename, '100']));
  await Promise.all(children.map((child) => child.ended()));
  t.is(await valueIn(database), 400);
});

test('transaction › loses none of 50 changes at once in one process', async (t) => {
  const { database } = await newCounters(t);
  await Promise.all(Array.from({ length: 50 }, () => increment(database)));
  t.is(await valueIn(database), 50);
});

test('transaction › what was committed before a kill -9 is there after it', async (t) => {
  const { filename, database } = await newCounters(t);
  const child = startChild(t, 'write', [filename]);
  let last = 0;
  while (last < 50) last = Number(await child.next());
  child.process.kill('SIGKILL');
  await t.throwsAsync(child.ended());
  const ids: number[] = await database.knex('items').orderBy('id').pluck('id');
  t.true(ids.length >= last);
  t.deepEqual(
    ids,
    ids.map((_, index) => index + 1),
  );
  t.deepEqual(await database.dialect.faults(), []);
});

test('transaction › waits for a writer in another process', async (t) => {
  const { filename, database } = await newCounters(t);
  const child = startChild(t, 'hold', [filename, '700']);
  t.is(await child.next(), 'holding');
  await increment(database);
  t.is(await valueIn(database), 1);
});

test('transaction › is UNAVAILABLE after about 15 s behind another process, and works later', async (t) => {
  t.timeout(60_000);
  const { filename, database } = await newCounters(t);
  const child = startChild(t, 'hold', [filename, '600000']);
  t.is(await child.next(), 'holding');
  const start = Date.now();
  await t.throwsAsync(increment(database), { code: 'UNAVAILABLE', message: /held by another process/ });
  t.true(Date.now() - start > 14_000);
  t.is(await valueIn(database), 0, 'reading goes on meanwhile');
  child.process.kill('SIGKILL');
  await t.throwsAsync(child.ended());
  await increment(database);
  t.is(await valueIn(database), 1);
});

test('transaction › is rolled back when the work throws, and passes on what was thrown', async (t) => {
  const { database } = await newCounters(t);
  const thrown = new VbsError('ABORTED', 'somebody else was faster');
  const error = await t.throwsAsync(
    database.transaction(async (trx) => {
      await trx('counters').where({ name: 'a' }).update({ value: 7 });
      throw thrown;
    }),
  );
  t.is(error, thrown);
  t.is(await valueIn(database), 0);
});

const misuse = test.macro({
  exec: async (t, use: (database: Database) => Promise<unknown>) => {
    t.timeout(5000);
    const { database } = await newCounters(t);
    await t.throwsAsync(
      database.transaction(async (trx) => {
        await trx('counters').where({ name: 'a' }).update({ value: 7 });
        await use(database);
      }),
      { instanceOf: TypeError, message: /use the `trx`/ },
    );
    t.is(await valueIn(database), 0);
    await increment(database);
    t.is(await valueIn(database), 1);
  },
  title: (what) => `transaction › ${what} inside it is a TypeError and no hang`,
});

test('a query of the outer knex', misuse, async (database) => database.knex('counters'));
test('a raw query of the outer knex', misuse, async (database) => database.knex.raw('select 1'));
test('a schema query of the outer knex', misuse, async (database) => database.knex.schema.hasTable('counters'));
test('a transaction of the outer knex', misuse, async (database) => database.knex.transaction(async () => {}));
test('another transaction', misuse, (database) => database.transaction(async () => {}));
test('a query of the outer knex after a pause', misuse, async (database) => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  return database.knex('counters').first();
});

test('transaction › what it started and left behind may use the database after it', async (t) => {
  const { database } = await newCounters(t);
  let later: Promise<unknown> = Promise.resolve();
  await database.transaction(async () => {
    later = new Promise((resolve) => setTimeout(resolve, 50)).then(() => database.knex('counters').first());
  });
  t.like(await later, { name: 'a' });
});

test('transaction › one database may be used inside a transaction of another', async (t) => {
  const { database } = await newCounters(t);
  const other = await newCounters(t);
  await database.transaction(async () => increment(other.database));
  t.is(await valueIn(other.database), 1);
});

test('transaction › goes on after a broken unique key, which it can catch', async (t) => {
  const { database } = await newCounters(t);
  await database.transaction(async (trx) => {
    const error = await t.throwsAsync(trx('counters').insert({ name: 'a', value: 1 }), { instanceOf: UniqueViolation });
    t.deepEqual(error?.key, { table: 'counters', columns: ['name'], index: null });
    t.true(error?.isOf('counters', 'name'));
    t.false(error?.isOf('counters', 'name', 'value'));
    await trx('counters').insert({ name: 'b', value: 1 });
  });
  t.is((await database.knex('counters')).length, 2);
});

test('transaction › a partial unique key is broken only by rows that are in it', async (t) => {
  const { database } = await newDatabase(t);
  await database.transaction(async (trx) =>
    trx.schema.createTable('attachments', (table) => {
      table.increments('seq');
      table.text('node');
      table.text('slot');
      table.text('state');
      table.unique(['node', 'slot'], { indexName: 'live_slot', predicate: trx.whereRaw("state <> 'detached'") });
    }),
  );
  const insert = (state: string) => database.knex('attachments').insert({ node: 'n', slot: 's', state });
  await insert('detached');
  await insert('detached');
  await insert('attached');
  const error = await t.throwsAsync(insert('attaching'), { instanceOf: UniqueViolation });
  t.true(error?.isOf('attachments', 'slot', 'node'));
});

test('transaction › no value of a statement is in an error, its cause or the log', async (t) => {
  const { database } = await newCounters(t);
  const value = randomUUID();
  for (const failing of [
    () =>
      database.knex('counters').insert([
        { name: value, value: 1 },
        { name: value, value: 2 },
      ]),
    () => database.knex('counters').insert({ name: value, value: null }),
    () => database.knex('nowhere').insert({ name: value }),
    () => database.transaction(async (trx) => trx('counters').insert({ name: value, value: null })),
  ]) {
    const error = await t.throwsAsync(failing, { instanceOf: VbsError });
    t.false(`${error?.stack} ${JSON.stringify(error)} ${(error?.cause as Error | undefined)?.stack}`.includes(value));
  }
});

test('transaction › a commit that fails leaves nothing, and the database free', async (t) => {
  const { filename, database } = await newDatabase(t);
  await database.knex.raw('create table parents (id integer primary key)');
  await database.knex.raw('create table children (parent integer references parents (id) deferrable initially deferred)');
  await t.throwsAsync(
    database.transaction(async (trx) => {
      await trx('children').insert({ parent: 5 });
    }),
    { message: /FOREIGN KEY constraint failed/ },
  );
  const other = await open(t, filename);
  await other.transaction(async (trx) => trx('parents').insert({ id: 1 }));
  t.deepEqual(await database.knex('children'), []);
  t.is((await database.knex('parents')).length, 1);
  await database.transaction(async (trx) => trx('children').insert({ parent: 1 }));
});
