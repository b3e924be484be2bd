import type { Knex } from 'knex';
import type { Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import { type Dialect, readNow } from './dialect.js';
import { runTransaction } from './run-transaction.js';
import { sqliteKnex } from './sqlite-client.js';
import { listCopies, makeCopy } from './sqlite-copies.js';
import { TransactionScope } from './transaction-scope.js';

/** With a busy time-out of 5 s each, about two minutes: another process may be copying a large database. */
const migrationAttempts = 24;

export interface SqliteDialectOptions {
  readonly knex: Knex;
  readonly filename: string;
  readonly log: Logger;
}

export function sqliteDialect({ knex, filename, log }: SqliteDialectOptions): Dialect {
  const dialect: Dialect = {
    name: 'sqlite',

    // julianday counts whole milliseconds; rounding undoes what the division into seconds lost.
    now: () => knex.raw("cast(round(unixepoch('subsec') * 1000) as integer)"),

    async isEmpty(db) {
      const row: unknown = await db('sqlite_master').whereRaw("name not like 'sqlite^_%' escape '^'").first('name');
      return row === undefined;
    },

    async migration(work) {
      const scope = new TransactionScope();
      const alone = sqliteKnex({ filename, purpose: 'migration', scope, log });
      try {
        return await runTransaction({ knex: alone, scope, attempts: migrationAttempts }, async (trx) => {
          const result = await work(trx);
          await refuseBrokenReferences(trx);
          return result;
        });
      } finally {
        await alone.destroy();
      }
    },

    async copyBeforeMigration(number) {
      return makeCopy({ filename, number, now: await readNow(knex, dialect), source: knex, verify: (copy) => faultsOfFile(copy, log) });
    },

    copies: () => listCopies(filename),

    faults: () => faultsOf(knex),
  };
  return dialect;
}

async function faultsOf(db: Knex): Promise<readonly string[]> {
  const rows: readonly { readonly quick_check: string }[] = await db.raw('PRAGMA quick_check(20)');
  return rows.map((row) => row.quick_check).filter((text) => text !== 'ok');
}

async function faultsOfFile(filename: string, log: Logger): Promise<readonly string[]> {
  const db = sqliteKnex({ filename, purpose: 'copy', scope: new TransactionScope(), log });
  try {
    return await faultsOf(db);
  } finally {
    await db.destroy();
  }
}

async function refuseBrokenReferences(trx: Knex.Transaction): Promise<void> {
  const rows: readonly { readonly table: string; readonly parent: string }[] = await trx.raw('PRAGMA foreign_key_check');
  const first = rows[0];
  if (first === undefined) return;
  throw new VbsError(
    'INTERNAL',
    `the migration leaves ${rows.length} rows that refer to nothing, the first in ${first.table} to ${first.parent}`,
    {
      context: { tables: [...new Set(rows.map((row) => row.table))] },
    },
  );
}
