/** What is used of the driver's statements; a callback's `this` is the statement. */
export interface PreparedStatement {
  readonly changes?: number;
  readonly lastID?: number;
  all(bindings: readonly unknown[], callback: (error: Error | null, rows?: readonly unknown[]) => void): void;
  run(bindings: readonly unknown[], callback: (error: Error | null) => void): void;
  finalize(callback: () => void): void;
}

/** A connection of the driver that can prepare statements. */
export interface PreparingConnection {
  prepare(sql: string, callback: (error: Error | null) => void): PreparedStatement;
}

/** What knex reads of an answered query. */
export interface Answer {
  readonly response: readonly unknown[] | undefined;
  readonly context: { readonly changes: number | undefined; readonly lastID: number | undefined };
}

/** How many texts one connection keeps prepared; the core has about a hundred, and lists of ids make more. */
const kept = 256;
/** A longer text is a long list of ids, which hardly comes again. */
const longestKept = 4_096;
/** What reads or writes rows; anything else is rare, and may not be prepared long before it runs. */
const worthKeeping = /^(select|insert|update|delete|begin|commit)\b/i;

/**
 * The statements of one connection, prepared once: preparing costs as much as running. One at a time is run, to its end, so that none
 * holds a lock. The least recently used go first.
 */
export class StatementCache {
  readonly #connection: PreparingConnection;
  readonly #statements = new Map<string, PreparedStatement>();

  constructor(connection: PreparingConnection) {
    this.#connection = connection;
  }

  static keeps(sql: string): boolean {
    return sql.length <= longestKept && worthKeeping.test(sql);
  }

  /** Runs a statement; `all` answers its rows, `run` what it changed. @throws what the driver says. */
  async execute(method: 'all' | 'run', sql: string, bindings: readonly unknown[]): Promise<Answer> {
    const statement = this.#statements.get(sql) ?? (await this.#prepare(sql));
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    return new Promise((resolve, reject) => {
      statement[method](bindings, (error: Error | null, response?: readonly unknown[]) => {
        if (error !== null) reject(error);
        else resolve({ response, context: { changes: statement.changes, lastID: statement.lastID } });
      });
    });
  }

  /** Before the connection is closed, which would be refused with a statement left. */
  async clear(): Promise<void> {
    const statements = [...this.#statements.values()];
    this.#statements.clear();
    await Promise.all(statements.map(finalized));
  }

  async #prepare(sql: string): Promise<PreparedStatement> {
    const statement = await new Promise<PreparedStatement>((resolve, reject) => {
      const made = this.#connection.prepare(sql, (error) => (error === null ? resolve(made) : reject(error)));
    });
    const [oldest] = this.#statements;
    if (this.#statements.size >= kept && oldest !== undefined) {
      this.#statements.delete(oldest[0]);
      await finalized(oldest[1]);
    }
    return statement;
  }
}

function finalized(statement: PreparedStatement): Promise<void> {
  return new Promise((resolve) => {
    statement.finalize(resolve);
  });
}
