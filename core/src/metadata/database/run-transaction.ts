import type { Knex } from 'knex';
import pRetry from 'p-retry';
import { DatabaseBusy } from './map-database-error.js';
import type { TransactionScope } from './transaction-scope.js';

export interface TransactionRunner {
  readonly knex: Knex;
  readonly scope: TransactionScope;
  /** How often it is begun where another process holds the database; each try waits as long as the database's own time-out says. */
  readonly attempts: number;
}

/** Runs work as one transaction; begins it again while the database is busy. @throws UNAVAILABLE: still busy after the last attempt. */
export function runTransaction<T>({ knex, scope, attempts }: TransactionRunner, work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  return pRetry(() => knex.transaction((trx) => scope.run(() => work(trx))), {
    retries: attempts - 1,
    minTimeout: 20,
    maxTimeout: 500,
    randomize: true,
    shouldRetry: ({ error }) => error instanceof DatabaseBusy,
  });
}
