import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Migration, migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import test from 'ava';
import { firstMigration, newDatabase, newFolder, open, recordingLog, secondMigration, silent, startChild } from './fixture.js';

const log = silent;

const noop = (number: number): Migration => ({ number, name: `noop ${number}`, async up() {} });

const applied = (database: Database) => database.knex('schema_migrations').orderBy('number').pluck('name');

async function copiesOf(filename: string): Promise<readonly string[]> {
  return (await readdir(dirname(filename))).filter((name) => name.startsWith(`${basename(filename)}.before-`)).sort();
}

const hashOf = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

test('migrate › runs what is missing in order, once, and writes it down', async (t) => {
  const { filename, database } = await newDatabase(t);
  const { lines, ...recording } = recordingLog();
  await migrate(database, [firstMigration, secondMigration], { log: recording });
  await migrate(database, [firstMigration, secondMigration], { log: recording });
  t.deepEqual(await applied(database), ['first', 'second']);
  t.is(lines.length, 1);
  const row = await database.knex('schema_migrations').first();
  t.true(Math.abs(row.applied_at - Date.now()) < 60_000);
  t.deepEqual(await copiesOf(filename), [], 'a new database needs no copy');
});

test('migrate › copies a database that has tables before it changes it', async (t) => {
  const { filename, database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  await database.knex('store').insert({ key: 'k', value: 'precious' });
  await migrate(database, [firstMigration, secondMigration, noop(3)], { log });
  const copies = await database.dialect.copies();
  t.is(copies.length, 1);
  t.deepEqual(
    await copiesOf(filename),
    copies.map((path) => basename(path)),
    'no other file is left',
  );
  const copy = copies[0] as string;
  t.regex(copy, /vbs\.sqlite\.before-2-\d{8}T\d{9}Z$/);
  t.is((await stat(copy)).mode & 0o777, 0o600);
  const restored = await open(t, copy);
  t.deepEqual(await applied(restored), ['first']);
  t.deepEqual(await restored.knex('store'), [{ key: 'k', value: 'precious' }]);
  t.false(await restored.knex.schema.hasTable('added'));
});

test('migrate › keeps the newest three copies', async (t) => {
  const { filename, database } = await newDatabase(t);
  const migrations = [firstMigration, noop(2), noop(3), noop(4), noop(5), noop(6)];
  for (let last = 1; last <= migrations.length; last++) await migrate(database, migrations.slice(0, last), { log });
  t.deepEqual(
    (await copiesOf(filename)).map((name) => /before-\d+/.exec(name)?.[0]),
    ['before-4', 'before-5', 'before-6'],
  );
  t.regex((await database.dialect.copies())[0] ?? '', /before-6/);
});

test('migrate › a migration that fails leaves the old schema, no copy, and passes on its error', async (t) => {
  const { filename, database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  const failure = new Error('half way');
  const failing: Migration = {
    number: 3,
    name: 'failing',
    async up(trx) {
      await trx.schema.createTable('half', (table) => table.increments('seq'));
      await trx.schema.dropTable('store');
      throw failure;
    },
  };
  t.is(await t.throwsAsync(migrate(database, [firstMigration, secondMigration, failing], { log })), failure);
  t.deepEqual(await applied(database), ['first']);
  t.true(await database.knex.schema.hasTable('store'));
  for (const table of ['half', 'added']) t.false(await database.knex.schema.hasTable(table), table);
  t.deepEqual(await copiesOf(filename), []);
  await migrate(database, [firstMigration, secondMigration], { log });
});

test('migrate › a migration that leaves broken references fails', async (t) => {
  const { database } = await newDatabase(t);
  const orphan: Migration = {
    number: 1,
    name: 'orphan',
    async up(trx) {
      await trx.schema.createTable('parents', (table) => table.increments('id'));
      await trx.schema.createTable('children', (table) => table.integer('parent').references('parents.id'));
      await trx('children').insert({ parent: 4 });
    },
  };
  await t.throwsAsync(migrate(database, [orphan], { log }), { message: /1 rows that refer to nothing, the first in children to parents/ });
  t.true(await database.dialect.isEmpty(database.knex));
});

test('migrate › a migration can make a table again that others refer to', async (t) => {
  const { database } = await newDatabase(t);
  const parents: Migration = {
    number: 1,
    name: 'parents',
    async up(trx) {
      await trx.schema.createTable('parents', (table) => {
        table.increments('id');
        table.text('name');
      });
      await trx.schema.createTable('children', (table) => table.integer('parent').references('parents.id'));
      await trx('parents').insert({ id: 4 });
      await trx('children').insert({ parent: 4 });
    },
  };
  const dropColumn: Migration = {
    number: 2,
    name: 'drop column',
    async up(trx) {
      await trx.schema.alterTable('parents', (table) => {
        table.dropColumn('name');
      });
    },
  };
  await migrate(database, [parents], { log });
  await migrate(database, [parents, dropColumn], { log });
  t.deepEqual(await database.knex('parents'), [{ id: 4 }]);
  await t.throwsAsync(database.knex('children').insert({ parent: 5 }), { message: /FOREIGN KEY/ }, 'the store itself checks foreign keys');
});

test('migrate › refuses a database of a newer VBS and touches nothing', async (t) => {
  const { filename, database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  await migrate(database, [firstMigration, secondMigration], { log });
  const [copy] = await database.dialect.copies();
  await database.close();
  const before = await hashOf(filename);
  const older = await open(t, filename);
  await t.throwsAsync(migrate(older, [firstMigration], { log }), {
    code: 'FAILED_PRECONDITION',
    message: new RegExp(`made by a newer VBS \\(migration 2 "second"; this one knows 1\\): run that version, or restore the copy ${copy}$`),
  });
  await older.close();
  t.is(await hashOf(filename), before);
});

test('migrate › refuses a database with a migration of another name', async (t) => {
  const { database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  await t.throwsAsync(migrate(database, [noop(1)], { log }), {
    code: 'FAILED_PRECONDITION',
    message: /1 "first", which is no migration of this VBS/,
  });
});

test('migrate › refuses a database of another program and touches nothing', async (t) => {
  const { database } = await newDatabase(t);
  await database.knex.schema.createTable('songs', (table) => table.increments('seq'));
  await t.throwsAsync(migrate(database, [firstMigration], { log }), { code: 'FAILED_PRECONDITION', message: /tables of another program/ });
  t.false(await database.knex.schema.hasTable('schema_migrations'));
});

test('migrate › migrations with a gap are a mistake of the program', async (t) => {
  const { database } = await newDatabase(t);
  await t.throwsAsync(migrate(database, [firstMigration, noop(3)], { log }), { instanceOf: TypeError });
});

test('migrate › of two processes that start at once one migrates and the other waits', async (t) => {
  const { filename, database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  await database.close();
  const children = [startChild(t, 'migrate', [filename]), startChild(t, 'migrate', [filename])];
  const said = await Promise.all(
    children.map(async (child) => {
      const messages = [await child.next()];
      if (messages[0] === 'migrating') messages.push(await child.next());
      await child.ended();
      return messages.join(', ');
    }),
  );
  t.deepEqual(said.sort(), ['migrated', 'migrating, migrated']);
  t.is((await copiesOf(filename)).length, 1);
  t.deepEqual(await applied(await open(t, filename)), ['first', 'second']);
});

test('migrate › killed in a migration, the next process begins with the old schema', async (t) => {
  const { filename, database } = await newDatabase(t);
  await migrate(database, [firstMigration], { log });
  const child = startChild(t, 'migrate', [filename]);
  t.is(await child.next(), 'migrating');
  child.process.kill('SIGKILL');
  await t.throwsAsync(child.ended());
  t.deepEqual(await applied(database), ['first']);
  await migrate(database, [firstMigration, secondMigration], { log });
  t.deepEqual(await applied(database), ['first', 'second']);
});

test('migrate › two processes on a file that is not there yet make one schema', async (t) => {
  const filename = `${await newFolder(t)}/vbs.sqlite`;
  const children = [startChild(t, 'migrate', [filename]), startChild(t, 'migrate', [filename])];
  for (const child of children) await child.ended();
  t.deepEqual(await applied(await open(t, filename)), ['first', 'second']);
});
