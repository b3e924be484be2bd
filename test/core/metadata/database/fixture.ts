import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '@vbs/core';
import type { Migration } from '@vbs/core/internal/metadata/database/migrate.js';
import { type Database, openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import type { ExecutionContext } from 'ava';

export const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A log that keeps its lines. */
export function recordingLog(): Logger & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const keep = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, debug: keep, info: keep, warn: keep, error: keep };
}

/** A new folder under the system's temporary one, removed after the test. */
export async function newFolder(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'vbs-database-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An open database, closed after the test. */
export async function open(t: ExecutionContext, filename: string, log: Logger = silent): Promise<Database> {
  const database = await openDatabase({ client: 'sqlite3', filename }, { log });
  t.teardown(() => database.close());
  return database;
}

export async function newDatabase(t: ExecutionContext): Promise<{ readonly filename: string; readonly database: Database }> {
  const filename = join(await newFolder(t), 'vbs.sqlite');
  return { filename, database: await open(t, filename) };
}

/** A database with the table `counters(name, value)`, the row `a` at 0, and an empty table `items(id)`. */
export async function newCounters(t: ExecutionContext): Promise<{ readonly filename: string; readonly database: Database }> {
  const made = await newDatabase(t);
  await made.database.knex.schema.createTable('counters', (table) => {
    table.text('name').primary();
    table.integer('value').notNullable();
  });
  await made.database.knex.schema.createTable('items', (table) => {
    table.integer('id').primary();
    table.text('text');
  });
  await made.database.knex('counters').insert({ name: 'a', value: 0 });
  return made;
}

export const firstMigration: Migration = {
  number: 1,
  name: 'first',
  async up(trx) {
    await trx.schema.createTable('store', (table) => {
      table.string('key').primary();
      table.text('value').notNullable();
    });
  },
};

export const secondMigration: Migration = {
  number: 2,
  name: 'second',
  async up(trx) {
    await trx.schema.createTable('added', (table) => {
      table.increments('seq');
    });
  },
};

export interface Child {
  readonly process: ChildProcess;
  /** Its messages, in order; waits for the next one at most 30 s. */
  next(): Promise<unknown>;
  /** Ends well, or throws what the child wrote. */
  ended(): Promise<void>;
}

/** Starts `child.js` with a job, ended after the test; as the user `nobody` where told. */
export function startChild(
  t: ExecutionContext,
  job: string,
  args: readonly string[],
  options: { readonly asNobody?: boolean } = {},
): Child {
  const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [job, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(options.asNobody === true ? { uid: 65534, gid: 65534 } : {}),
  });
  const messages: unknown[] = [];
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += String(data);
  });
  child.on('message', (message) => messages.push(message));
  const exit = once(child, 'close');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exit;
  });
  return {
    process: child,
    async next() {
      if (messages.length === 0) {
        await Promise.race([once(child, 'message', { signal: AbortSignal.timeout(30_000) }), exit]);
      }
      if (messages.length === 0) throw new Error(`the child ended without an answer: ${stderr}`);
      return messages.shift();
    },
    async ended() {
      const [code, signal] = await exit;
      if (code !== 0) throw new Error(`the child ended with ${code ?? signal}: ${stderr}`);
    },
  };
}
