import type { Knex } from 'knex';
import type { DatabaseConfiguration } from '../../config/configuration.js';
import type { Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import type { Dialect } from './dialect.js';
import { mapDatabaseError } from './map-database-error.js';
import { runTransaction } from './run-transaction.js';
import { sqliteKnex } from './sqlite-client.js';
import { listCopies } from './sqlite-copies.js';
import { sqliteDialect } from './sqlite-dialect.js';
import { prepareSqliteFile } from './sqlite-file.js';
import { TransactionScope } from './transaction-scope.js';

/** Three times SQLite's busy time-out of 5 s. */
const transactionAttempts = 3;

/** An open database. Failed statements are VbsErrors (a broken unique key is a {@link UniqueViolation}), without values in their texts. */
export interface Database {
  /** For reads outside transactions. @throws TypeError: used inside a transaction of this database, where it would wait for ever. */
  readonly knex: Knex;
  readonly dialect: Dialect;
  /**
   * Runs work as one transaction, which is committed when the work ends and rolled back when it throws. Nobody else writes meanwhile.
   * The work may be run again from its start, so it does nothing but ask and change the database through `trx`.
   * @throws what the work threw; UNAVAILABLE: another process held the database for about 15 s; RESOURCE_EXHAUSTED: no room;
   * TypeError: called inside a transaction.
   */
  transaction<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>;
  /** Waits for what runs, at most 5 s. Repeating it does nothing. */
  close(): Promise<void>;
}

/**
 * Opens the database that is configured, making an empty one where none is. The schema is {@link migrate}'s.
 *
 * Reads the schema, so that a file which is no database, or whose first pages are damaged, is found here. Further pages are
 * not read: after a crash SQLite's write-ahead log recovers by its check sums, so that an unclean end gives no reason to; a page that
 * a disk lost is told when it is read, and by `dialect.faults()`.
 *
 * @throws CONFIG_INVALID: PostgreSQL; FAILED_PRECONDITION: damaged, no database, read-only; PERMISSION_DENIED; RESOURCE_EXHAUSTED:
 * no room; UNAVAILABLE: held by another process.
 */
export async function openDatabase(configuration: DatabaseConfiguration, { log }: { readonly log: Logger }): Promise<Database> {
  if (configuration.client === 'pg') {
    const message = 'PostgreSQL is not in this version: configure { client: sqlite3, filename: … }';
    throw new VbsError('CONFIG_INVALID', message, { context: { faults: [{ path: '/database/client', message }] } });
  }
  const { filename } = configuration;
  await prepare(filename);
  const scope = new TransactionScope();
  const knex = sqliteKnex({ filename, purpose: 'store', scope, log });
  const dialect = sqliteDialect({ knex, filename, log });
  try {
    await dialect.isEmpty(knex);
  } catch (error) {
    await knex.destroy();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    knex,
    dialect,
    transaction: async (work) => {
      scope.refuseInside();
      return runTransaction({ knex, scope, attempts: transactionAttempts }, work);
    },
    close: () => {
      closed ??= knex.destroy();
      return closed;
    },
  };
}

async function prepare(filename: string): Promise<void> {
  try {
    await prepareSqliteFile(filename);
  } catch (error) {
    // The fault that is told is the database's own.
    const copies = await listCopies(filename).catch(() => []);
    throw mapDatabaseError(error, { filename, copies, freeBytes: null });
  }
}
