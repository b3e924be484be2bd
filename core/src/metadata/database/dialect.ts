import type { Knex } from 'knex';

/**
 * What the databases do each in its own way; everything else goes through knex. SQL that only one database knows stands in the files
 * named after that database.
 */
export interface Dialect {
  readonly name: 'sqlite' | 'pg';
  /** The database's clock in integer milliseconds since 1970, as an expression: the one clock by which leases expire (safety B3). */
  now(): Knex.Raw<number>;
  /** Whether there is no table of anybody. */
  isEmpty(db: Knex): Promise<boolean>;
  /**
   * Runs work that changes tables as one transaction, alone on this database: another process that comes meanwhile waits. Foreign keys
   * are checked at its end, not in it, so that tables can be made again. Only the `trx` may be used to write.
   */
  migration<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T>;
  /**
   * Keeps what is committed now as a file beside the database, proved readable and synced; null where copies are the operator's task.
   * To be called inside {@link migration}. @throws RESOURCE_EXHAUSTED: no room for it; nothing was changed.
   */
  copyBeforeMigration(number: number): Promise<DatabaseCopy | null>;
  /** The copies made before migrations, the newest first. */
  copies(): Promise<readonly string[]>;
  /** Reads every page of the database: a sentence for each fault that was found. Takes about a second for 250 MB. */
  faults(): Promise<readonly string[]>;
}

export interface DatabaseCopy {
  readonly filename: string;
  /** Takes the copy away again: the migration that it was made for changed nothing. */
  discard(): Promise<void>;
  /** Removes the oldest copies: the newest three stay. */
  prune(): Promise<void>;
}

/** The database's clock, read once. */
export async function readNow(db: Knex, dialect: Dialect): Promise<number> {
  const rows: readonly { readonly now: number | string }[] = await db.select({ now: dialect.now() });
  return Number(rows[0]?.now);
}
