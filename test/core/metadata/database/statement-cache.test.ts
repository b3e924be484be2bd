import test from 'ava';
import { newDatabase, open } from './fixture.js';

test('statements › more texts than are kept prepared all answer, and the database closes', async (t) => {
  const { database } = await newDatabase(t);
  const answers: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    for (let number = 0; number < 300; number += 1) {
      const [row]: { answer: number }[] = await database.knex.raw(`select ${number} as answer`);
      answers.push(row?.answer ?? -1);
    }
  }
  t.deepEqual(answers, [...Array(300).keys(), ...Array(300).keys()]);
  await t.notThrowsAsync(database.close());
});

test('statements › one that failed works the next time, in the same transaction too', async (t) => {
  const { database } = await newDatabase(t);
  await database.knex.schema.createTable('things', (table) => table.integer('id').primary());
  await database.transaction(async (trx) => {
    await trx('things').insert({ id: 1 });
    await t.throwsAsync(trx('things').insert({ id: 1 }).then());
    await trx('things').insert({ id: 2 });
  });
  t.deepEqual(await database.knex('things').pluck('id'), [1, 2]);
});

test('statements › a table that another connection changes is read as it is then', async (t) => {
  const { database, filename } = await newDatabase(t);
  await database.knex.schema.createTable('things', (table) => table.integer('id').primary());
  await database.knex('things').insert({ id: 1 });
  t.deepEqual(await database.knex('things').select(), [{ id: 1 }]);
  const other = await open(t, filename);
  await other.knex.schema.alterTable('things', (table) => table.integer('more').notNullable().defaultTo(7));
  t.deepEqual(await database.knex('things').select(), [{ id: 1, more: 7 }]);
});

test('statements › what an update changes, and what a delete takes, is counted each time', async (t) => {
  const { database } = await newDatabase(t);
  await database.knex.schema.createTable('things', (table) => {
    table.integer('id').primary();
    table.integer('value');
  });
  await database.knex('things').insert([1, 2, 3].map((id) => ({ id, value: 0 })));
  const change = (from: number) => database.knex('things').where('id', '>=', from).update({ value: 1 });
  t.deepEqual([await change(1), await change(3), await change(4)], [3, 1, 0]);
  const remove = (from: number) => database.knex('things').where('id', '>=', from).delete();
  t.deepEqual([await remove(2), await remove(2)], [2, 0]);
});
