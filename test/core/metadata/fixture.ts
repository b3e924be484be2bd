import { migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { migrations } from '@vbs/core/internal/metadata/migrations/index.js';
import type { ExecutionContext } from 'ava';
import { newDatabase, silent } from './database/fixture.js';

/** An open database with the tables of a store, and nothing in them. */
export async function newTables(t: ExecutionContext): Promise<Database> {
  const { database } = await newDatabase(t);
  await migrate(database, migrations, { log: silent });
  return database;
}
