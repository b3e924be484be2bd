import type { Knex } from 'knex';
import type { Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import type { DatabaseCopy, Dialect } from './dialect.js';
import type { Database } from './open-database.js';

/** One change of the schema. It is never edited once released: a later number changes what it made. */
export interface Migration {
  /** 1, 2, 3, … without a gap. */
  readonly number: number;
  readonly name: string;
  /** Uses `trx` alone. Runs with foreign keys off; they are checked before the commit. */
  up(trx: Knex.Transaction, dialect: Dialect): Promise<void>;
}

interface Applied {
  readonly number: number;
  readonly name: string;
}

const tableName = 'schema_migrations';

/**
 * Brings the schema to the last of these migrations: all that are missing in one transaction, so that one that fails leaves the
 * schema that was, and of two processes that start at once one migrates and the other waits. A database that has tables is copied
 * first; the newest three copies stay.
 *
 * @throws FAILED_PRECONDITION: the database was made by a newer VBS, or by another program (nothing was touched); RESOURCE_EXHAUSTED: no
 * room for the copy; UNAVAILABLE: another process held the database for about two minutes; what a migration threw.
 */
export async function migrate(database: Database, migrations: readonly Migration[], { log }: { readonly log: Logger }): Promise<void> {
  refuseDisorder(migrations);
  const { dialect } = database;
  const { knex } = database;
  // A database without our table is judged under the lock alone: another process may be making it between two questions.
  if ((await knex.schema.hasTable(tableName)) && (await pendingIn(knex, dialect, migrations)).length === 0) return;
  let copy: DatabaseCopy | null = null;
  try {
    await dialect.migration(async (trx) => {
      const pending = await pendingIn(trx, dialect, migrations);
      const first = pending[0];
      if (first === undefined) return;
      if (await trx.schema.hasTable(tableName)) {
        copy = await dialect.copyBeforeMigration(first.number);
        log.info({ copy: copy?.filename, before: first.number }, 'database copied before its migration');
      } else {
        await createTable(trx);
      }
      for (const migration of pending) await apply(trx, dialect, migration);
      log.info({ migrations: pending.map(({ number, name }) => `${number} ${name}`) }, 'database migrated');
    });
  } catch (error) {
    await (copy as DatabaseCopy | null)?.discard();
    throw error;
  }
  await (copy as DatabaseCopy | null)?.prune();
}

function refuseDisorder(migrations: readonly Migration[]): void {
  for (const [index, { number, name }] of migrations.entries()) {
    if (number !== index + 1) throw new TypeError(`migration "${name}" must have the number ${index + 1}, not ${number}`);
  }
}

async function pendingIn(db: Knex, dialect: Dialect, migrations: readonly Migration[]): Promise<readonly Migration[]> {
  const applied = await appliedIn(db, dialect);
  const highest = applied.at(-1);
  if (highest !== undefined && highest.number > migrations.length) throw await newer(dialect, highest, migrations.length);
  const stranger = applied.find(({ number, name }) => migrations[number - 1]?.name !== name);
  if (stranger !== undefined) {
    throw new VbsError(
      'FAILED_PRECONDITION',
      `the database has the migration ${stranger.number} "${stranger.name}", which is no migration of this VBS: run the VBS that made it`,
      { context: { number: stranger.number, name: stranger.name } },
    );
  }
  const done = new Set(applied.map(({ number }) => number));
  return migrations.filter(({ number }) => !done.has(number));
}

async function appliedIn(db: Knex, dialect: Dialect): Promise<readonly Applied[]> {
  if (await db.schema.hasTable(tableName)) return db<Applied>(tableName).orderBy('number').select('number', 'name');
  if (await dialect.isEmpty(db)) return [];
  throw new VbsError('FAILED_PRECONDITION', 'the database holds the tables of another program: configure a database of its own for VBS');
}

async function newer(dialect: Dialect, highest: Applied, known: number): Promise<VbsError> {
  const copies = await dialect.copies();
  const remedy = copies.length > 0 ? `, or restore the copy ${copies[0]}` : '';
  return new VbsError(
    'FAILED_PRECONDITION',
    `the database was made by a newer VBS (migration ${highest.number} "${highest.name}"; this one knows ${known}): run that version${remedy}`,
    { context: { found: highest.number, known, copies } },
  );
}

async function createTable(trx: Knex.Transaction): Promise<void> {
  await trx.schema.createTable(tableName, (table) => {
    table.integer('number').primary();
    table.text('name').notNullable();
    table.bigInteger('applied_at').notNullable();
  });
}

async function apply(trx: Knex.Transaction, dialect: Dialect, migration: Migration): Promise<void> {
  await migration.up(trx, dialect);
  await trx(tableName).insert({ number: migration.number, name: migration.name, applied_at: dialect.now() });
}
