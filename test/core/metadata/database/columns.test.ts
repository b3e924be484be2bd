import { bytesColumn, stateColumn } from '@vbs/core/internal/metadata/database/columns.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { newDatabase } from './fixture.js';

const states = ['pending', 'in-use', "it's"] as const;

async function newVolumes(t: ExecutionContext): Promise<Database> {
  const { database } = await newDatabase(t);
  await database.knex.schema.createTable('volumes', (table) => {
    bytesColumn(table, 'size').notNullable();
    bytesColumn(table, 'done');
    stateColumn(table, 'state', states).notNullable();
  });
  return database;
}

/** Whether the row was taken; what came back must be what was written. Leaves the table empty. */
async function takes(database: Database, row: Readonly<Record<string, unknown>>): Promise<boolean> {
  try {
    await database.knex('volumes').insert(row);
  } catch (error) {
    if (/constraint failed/.test(String(error))) return false;
    throw error;
  }
  const stored = await database.knex('volumes').first();
  await database.knex('volumes').delete();
  if (!Object.entries(row).every(([key, value]) => Object.is(stored[key], value)))
    throw new Error(`changed: ${JSON.stringify([row, stored])}`);
  return true;
}

const row = (size: unknown) => ({ size, done: null, state: 'pending' });

test('bytesColumn › takes every safe integer from 0 on, and gives it back unchanged', async (t) => {
  const database = await newVolumes(t);
  await fc.assert(
    fc.asyncProperty(fc.maxSafeNat(), async (size) => takes(database, row(size))),
    { numRuns: 50, examples: [[0], [2 ** 31], [2 ** 32 + 1], [2 ** 53 - 1]] },
  );
  t.pass();
});

test('bytesColumn › refuses every other number', async (t) => {
  const database = await newVolumes(t);
  const others = fc.oneof(
    fc.integer({ max: -1 }),
    fc.double({ min: 2 ** 53, noNaN: true }),
    fc.double({ noNaN: true }).filter((size) => !Number.isInteger(size)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }).map(Number),
  );
  await fc.assert(
    fc.asyncProperty(others, async (size) => !(await takes(database, row(size)))),
    { numRuns: 80, examples: [[2 ** 53], [1.5], [-1], [1e30], [Number.POSITIVE_INFINITY], [Number.NaN]] },
  );
  t.pass();
});

test('bytesColumn › refuses integers beyond 2^53 written as SQL, where JavaScript cannot round them', async (t) => {
  const database = await newVolumes(t);
  const write = (size: bigint) => database.knex.raw(`insert into volumes (size, state) values (${size}, 'pending')`);
  await write(2n ** 53n - 1n);
  for (const size of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n, -1n]) {
    await t.throwsAsync(write(size), { message: /size_is_safe_integer/ }, String(size));
  }
});

test('bytesColumn › refuses text and bytes, and takes NULL unless told', async (t) => {
  const database = await newVolumes(t);
  for (const size of ['abc', '5GiB', '', Buffer.from('5'), null]) t.false(await takes(database, row(size)), String(size));
  t.true(await takes(database, row(1)));
});

test('bytesColumn › refuses an update as it refuses an insert', async (t) => {
  const database = await newVolumes(t);
  await database.knex('volumes').insert(row(2 ** 53 - 1));
  await t.throwsAsync(database.knex('volumes').update({ size: database.knex.raw('size + 1') }), { message: /size_is_safe_integer/ });
});

test('stateColumn › takes its states and nothing else', async (t) => {
  const database = await newVolumes(t);
  for (const state of states) t.true(await takes(database, { ...row(1), state }), state);
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary' }).filter((state) => !(states as readonly string[]).includes(state)),
      async (state) => !(await takes(database, { ...row(1), state })),
    ),
    { numRuns: 50, examples: [['Pending'], ['pending '], [''], ['in_use']] },
  );
});
