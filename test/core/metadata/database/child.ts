/** What the tests run in processes of their own: `child.js JOB FILE …`. Answers by messages; a failure is `{ code, message }`. */
import { setTimeout } from 'node:timers/promises';
import { isVbsError } from '@vbs/core';
import { type Migration, migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import { storeId } from '@vbs/core/internal/metadata/database/store-identity.js';
import { firstMigration, secondMigration, silent } from './fixture.js';

const [job = '', filename = '', ...rest] = process.argv.slice(2);
const open = () => openDatabase({ client: 'sqlite3', filename }, { log: silent });
const say = (message: unknown) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));

/** Tells that it runs, and shows when two processes are in it at once. */
const slowMigration: Migration = {
  ...secondMigration,
  async up(trx, dialect) {
    await say('migrating');
    await setTimeout(500);
    await secondMigration.up(trx, dialect);
  },
};

const jobs: Readonly<Record<string, () => Promise<void>>> = {
  async open() {
    const database = await open();
    await database.transaction(async (trx) => trx.schema.createTable(`made_by_${process.pid}`, (table) => table.increments('seq')));
    await database.close();
    await say('opened');
  },

  async count() {
    const database = await open();
    for (let round = 0; round < Number(rest[0]); round++) {
      await database.transaction(async (trx) => {
        const row = await trx('counters').where({ name: 'a' }).first('value');
        await trx('counters')
          .where({ name: 'a' })
          .update({ value: row.value + 1 });
      });
    }
    await database.close();
  },

  async write() {
    const database = await open();
    for (let id = 1; id < 100_000; id++) {
      await database.transaction(async (trx) => trx('items').insert({ id, text: 'x'.repeat(500) }));
      await say(id);
    }
  },

  async hold() {
    const database = await open();
    await database.transaction(async () => {
      await say('holding');
      await setTimeout(Number(rest[0]));
    });
    await database.close();
  },

  async migrate() {
    const database = await open();
    await migrate(database, [firstMigration, slowMigration], { log: silent });
    await say('migrated');
    await database.close();
  },

  async identify() {
    const database = await open();
    await migrate(database, [firstMigration], { log: silent });
    await say(await storeId(database));
    await database.close();
  },
};

try {
  await jobs[job]?.();
} catch (error) {
  if (!isVbsError(error)) throw error;
  await say({ code: error.code, message: error.message });
}
// A job that failed left its database open, which would keep the process alive.
process.exit();
