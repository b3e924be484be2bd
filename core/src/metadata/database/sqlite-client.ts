import { access, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import knex, { type Knex } from 'knex';
import pRetry from 'p-retry';
import type { Logger } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import { DatabaseBusy, mapDatabaseError, primaryCode } from './map-database-error.js';
import { listCopies } from './sqlite-copies.js';
import { type Answer, type PreparingConnection, StatementCache } from './statement-cache.js';
import type { TransactionScope } from './transaction-scope.js';

/** The driver's name, here and nowhere else: `better-sqlite3` is a drop-in for knex. */
const driver = 'sqlite3';

export interface SqliteSettings {
  readonly filename: string;
  /**
   * `store`: write-ahead log, each commit synced, foreign keys. `migration`: the same with foreign keys off, for tables that are made
   * again. `copy`: reads only.
   */
  readonly purpose: 'store' | 'migration' | 'copy';
  readonly scope: TransactionScope;
  readonly log: Logger;
}

/** What is set on each connection, in this order, and what SQLite then answers when asked. */
const commonPragmas = { busy_timeout: ['5000', 5000] } as const;
const durable = { journal_mode: ['WAL', 'wal'], synchronous: ['FULL', 2] } as const;
const pragmas = {
  // In KiB, with a minus: a page of volumes from all over a large store, with all that is shown of them, is more than the usual 2 MB.
  store: { ...commonPragmas, ...durable, foreign_keys: ['ON', 1], cache_size: ['-16384', -16384] },
  migration: { ...commonPragmas, ...durable, foreign_keys: ['OFF', 0] },
  copy: { ...commonPragmas, query_only: ['ON', 1] },
} satisfies Record<SqliteSettings['purpose'], Record<string, readonly [string, string | number]>>;

/** What is used of knex's own classes, which have no types. */
interface Connection extends PreparingConnection {
  __knex__disposed?: unknown;
}
interface QueryObject extends Partial<Answer> {
  readonly sql: string;
  readonly bindings: readonly unknown[];
  /** Of knex: `select`, `insert`, … */
  readonly method?: string;
  readonly returning?: unknown;
}
interface BaseClient {
  readonly transacting?: boolean;
  acquireRawConnection(): Promise<Connection>;
  destroyRawConnection(connection: Connection): Promise<void>;
  acquireConnection(): Promise<Connection>;
  query(connection: Connection, query: string | QueryObject): Promise<unknown>;
  _query(connection: Connection, query: QueryObject): Promise<QueryObject>;
}
interface BaseTransaction {
  query(connection: Connection, sql: string): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const SqliteClient = require(`knex/lib/dialects/${driver}/index.js`) as new (...args: readonly unknown[]) => BaseClient;
const SqliteTransaction = require('knex/lib/dialects/sqlite3/execution/sqlite-transaction.js') as new (
  ...args: readonly unknown[]
) => BaseTransaction;

const begin = 'BEGIN IMMEDIATE;';

/** A deferred transaction that turns from reading to writing fails with SQLITE_BUSY at once, however long the time-out is. */
class ImmediateTransaction extends SqliteTransaction {
  begin(connection: Connection): Promise<unknown> {
    return this.query(connection, begin);
  }
}

/** After these the transaction goes on; after any other failure SQLite may have rolled it back by itself. */
const keepTransaction: ReadonlySet<string> = new Set([
  'SQLITE_CONSTRAINT',
  'SQLITE_ERROR',
  'SQLITE_MISMATCH',
  'SQLITE_RANGE',
  'SQLITE_TOOBIG',
]);

/** A knex on one SQLite file: one connection, immediate transactions, errors as VbsErrors, no values in messages. */
export function sqliteKnex({ filename, purpose, scope, log }: SqliteSettings): Knex {
  const broken = new WeakMap<Connection, unknown>();
  const prepared = new WeakMap<Connection, StatementCache>();

  async function mapped(error: unknown): Promise<unknown> {
    // The fault that is told is the database's own.
    const copies = isDamage(error) ? await listCopies(filename).catch(() => []) : [];
    const freeBytes = await statfs(dirname(filename)).then(
      ({ bavail, bsize }) => bavail * bsize,
      () => null,
    );
    return mapDatabaseError(error, { filename, copies, freeBytes });
  }

  /** Later statements of this transaction would be committed one by one: they are refused, and the connection is not used again. */
  async function giveUp(client: BaseClient, connection: Connection, failure: unknown): Promise<void> {
    broken.set(connection, failure);
    connection.__knex__disposed = failure;
    try {
      await client._query(connection, { sql: 'ROLLBACK', bindings: [] });
    } catch (error) {
      log.debug({ error }, 'database: nothing to roll back');
    }
  }

  // No private members: knex makes a transaction's client from this prototype, without the constructor.
  class Client extends SqliteClient {
    transaction(...args: readonly unknown[]): BaseTransaction {
      return new ImmediateTransaction(this, ...args);
    }

    override async acquireConnection(): Promise<Connection> {
      scope.refuseInside();
      try {
        return await super.acquireConnection();
      } catch (error) {
        throw await mapped(error);
      }
    }

    override acquireRawConnection(): Promise<Connection> {
      // Setting the journal mode, and recovery after a crash, can be SQLITE_BUSY without SQLite waiting for it.
      return pRetry(() => this.connect(), {
        retries: 5,
        minTimeout: 50,
        randomize: true,
        shouldRetry: ({ error }) => error instanceof DatabaseBusy,
      });
    }

    async connect(): Promise<Connection> {
      try {
        // The driver would make a new, empty database in the place of one that was moved away.
        await access(filename);
        const connection = await super.acquireRawConnection();
        try {
          await configure(this, connection, { filename, purpose });
          // A migration changes the tables under its statements, and a copy is read once.
          if (purpose === 'store') prepared.set(connection, new StatementCache(connection));
          return connection;
        } catch (error) {
          await this.destroyRawConnection(connection);
          throw error;
        }
      } catch (error) {
        throw await mapped(error);
      }
    }

    override async destroyRawConnection(connection: Connection): Promise<void> {
      await prepared.get(connection)?.clear();
      await super.destroyRawConnection(connection);
    }

    override async _query(connection: Connection, query: QueryObject): Promise<QueryObject> {
      const statements = prepared.get(connection);
      if (statements === undefined || !StatementCache.keeps(query.sql)) return super._query(connection, query);
      return Object.assign(query, await statements.execute(driverMethod(query), query.sql, query.bindings));
    }

    override async query(connection: Connection, query: string | QueryObject): Promise<unknown> {
      const sql = typeof query === 'string' ? query : query.sql;
      const isRollback = sql === 'ROLLBACK';
      if (broken.has(connection) && !isRollback) throw broken.get(connection);
      try {
        return await super.query(connection, query);
      } catch (error) {
        const failure = await mapped(withoutStatement(error, sql));
        if (this.transacting !== true) throw failure;
        if (isRollback) {
          // SQLite had rolled back by itself, or closing the connection does; the error that led here goes to the caller.
          log.debug({ error: failure }, 'database: nothing to roll back');
          connection.__knex__disposed = failure;
          return undefined;
        }
        if (sql === begin) throw failure;
        if (sql === 'COMMIT;' || endsTransaction(error)) await giveUp(this, connection, failure);
        throw failure;
      }
    }
  }

  return knex({
    client: Client as unknown as typeof Knex.Client,
    connection: { filename },
    pool: { min: 1, max: 1 },
    useNullAsDefault: true,
    compileSqlOnError: false,
    log: {
      debug: (message: unknown) => log.debug({}, `database: ${String(message)}`),
      warn: (message: unknown) => log.warn({}, `database: ${String(message)}`),
      error: (message: unknown) => log.error({}, `database: ${String(message)}`),
      deprecate: (method: unknown, alternative: unknown) =>
        log.warn({}, `database: ${String(method)} is deprecated, use ${String(alternative)}`),
    },
  });
}

/** As knex's own `_query` chooses: rows, or what was changed. */
function driverMethod({ method, returning }: QueryObject): 'all' | 'run' {
  if (method === 'insert' || method === 'update') return returning ? 'all' : 'run';
  return method === 'del' || method === 'counter' ? 'run' : 'all';
}

async function configure(client: BaseClient, connection: Connection, { filename, purpose }: Pick<SqliteSettings, 'filename' | 'purpose'>) {
  for (const [name, [value, expected]] of Object.entries(pragmas[purpose])) {
    await client._query(connection, { sql: `PRAGMA ${name} = ${value}`, bindings: [] });
    const { response } = await client._query(connection, { sql: `PRAGMA ${name}`, bindings: [] });
    const answer: unknown = Object.values(response?.[0] ?? {})[0];
    if (answer !== expected) {
      throw new VbsError(
        'FAILED_PRECONDITION',
        `SQLite cannot use ${name} ${value} for ${filename}: put the database on a local file system that can lock and map files`,
        { context: { database: filename, pragma: name, answer } },
      );
    }
  }
}

function codeOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : '';
}

function endsTransaction(error: unknown): boolean {
  const code = codeOf(error);
  return code !== '' && !keepTransaction.has(primaryCode(code));
}

function isDamage(error: unknown): boolean {
  return ['SQLITE_CORRUPT', 'SQLITE_NOTADB'].includes(primaryCode(codeOf(error)));
}

/** knex puts the statement in front of the driver's message: what is left tells what is wrong, and never a value. */
function withoutStatement(error: unknown, sql: string): unknown {
  if (!(error instanceof Error) || codeOf(error) === '') return error;
  const prefix = `${sql} - `;
  const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
  return Object.assign(new Error(message), { code: codeOf(error) });
}
