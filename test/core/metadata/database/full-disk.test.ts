import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Migration, migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import test, { type ExecutionContext } from 'ava';
import { open, silent } from './fixture.js';

/** Mounts a tmpfs of this size, taken away after the test. */
function mountSmall(t: ExecutionContext, size: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'vbs-full-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  t.teardown(async () => {
    execFileSync('umount', [folder]);
    await rm(folder, { recursive: true });
  });
  return folder;
}

function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'vbs-full-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', folder], { stdio: 'ignore' });
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}

const mounts = canMount();
const testFull = mounts ? test : test.skip;
const title = (text: string) => (mounts ? text : `${text} (skipped: needs root and a kernel that lets it mount a tmpfs)`);

/** Takes what is free but for `keepBytes`. */
async function fill(folder: string, keepBytes = 0): Promise<string> {
  const { bavail, bsize } = await statfs(folder);
  const ballast = join(folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(bavail * bsize - keepBytes, 1));
  return ballast;
}

const items: Migration = {
  number: 1,
  name: 'items',
  async up(trx) {
    await trx.schema.createTable('items', (table) => {
      table.increments('seq');
      table.text('text');
    });
  },
};

const more: Migration = {
  number: 2,
  name: 'more',
  async up(trx) {
    await trx.schema.createTable('more', (table) => table.increments('seq'));
  },
};

/** Two rows in one transaction, until the disk is full. */
async function writeUntilFull(database: Database): Promise<number> {
  for (let pairs = 0; pairs < 10_000; pairs++) {
    try {
      await database.transaction(async (trx) => {
        await trx('items').insert({ text: 'z'.repeat(3000) });
        await trx('items').insert({ text: 'z'.repeat(3000) });
      });
    } catch (error) {
      if ((error as { code?: unknown }).code === 'RESOURCE_EXHAUSTED') return pairs;
      throw error;
    }
  }
  throw new Error('the disk was never full');
}

const count = async (database: Database) => (await database.knex('items').count({ count: '*' }))[0]?.count;

testFull(title('transaction › a full disk is RESOURCE_EXHAUSTED, leaves nothing half, and it goes on when there is room'), async (t) => {
  const folder = mountSmall(t, '4m');
  const database = await open(t, join(folder, 'vbs.sqlite'));
  await migrate(database, [items], { log: silent });
  const ballast = await fill(folder, 200_000);
  const pairs = await writeUntilFull(database);
  t.is(await count(database), pairs * 2);
  await t.throwsAsync(
    database.transaction(async (trx) => {
      await trx('items').insert({ text: 'z'.repeat(100_000) });
    }),
    { code: 'RESOURCE_EXHAUSTED', message: /free some on its file system/ },
  );
  await rm(ballast);
  await database.transaction(async (trx) => trx('items').insert({ text: 'after' }));
  t.is(await count(database), pairs * 2 + 1);
  t.deepEqual(await database.dialect.faults(), []);
});

testFull(title('transaction › work that catches the full disk cannot commit half of itself'), async (t) => {
  const folder = mountSmall(t, '4m');
  const database = await open(t, join(folder, 'vbs.sqlite'));
  await migrate(database, [items], { log: silent });
  await database.knex.raw('PRAGMA cache_size = 1');
  const ballast = await fill(folder, 100_000);
  await t.throwsAsync(
    database.transaction(async (trx) => {
      await trx('items').insert({ text: 'first' });
      await t.throwsAsync(trx('items').insert({ text: 'z'.repeat(2_000_000) }), { code: 'RESOURCE_EXHAUSTED' });
      await rm(ballast);
      await trx('items').insert({ text: 'last' });
    }),
    { code: 'RESOURCE_EXHAUSTED' },
  );
  t.is(await count(database), 0);
  await database.transaction(async (trx) => trx('items').insert({ text: 'after' }));
  t.is(await count(database), 1);
});

testFull(title('migrate › without room for the copy it is RESOURCE_EXHAUSTED, and nothing is changed'), async (t) => {
  const folder = mountSmall(t, '12m');
  const filename = join(folder, 'vbs.sqlite');
  const database = await open(t, filename);
  await migrate(database, [items], { log: silent });
  for (let row = 0; row < 300; row++) await database.knex('items').insert({ text: 'z'.repeat(3000) });
  const ballast = await fill(folder, 300_000);
  await t.throwsAsync(migrate(database, [items, more], { log: silent }), {
    code: 'RESOURCE_EXHAUSTED',
    message: /no room in .* for the copy of the database before migration 2/,
  });
  t.false(await database.knex.schema.hasTable('more'));
  t.deepEqual((await readdir(folder)).sort(), ['ballast', 'vbs.sqlite', 'vbs.sqlite-shm', 'vbs.sqlite-wal']);
  await rm(ballast);
  await migrate(database, [items, more], { log: silent });
  t.true(await database.knex.schema.hasTable('more'));
  t.is((await database.dialect.copies()).length, 1);
});

testFull(title('openDatabase › on a full disk is RESOURCE_EXHAUSTED, and works when there is room'), async (t) => {
  const folder = mountSmall(t, '1m');
  const ballast = await fill(folder);
  const filename = join(folder, 'vbs.sqlite');
  await t.throwsAsync(
    open(t, filename).then((database) => migrate(database, [items], { log: silent })),
    { code: 'RESOURCE_EXHAUSTED' },
  );
  await rm(ballast);
  await migrate(await open(t, filename), [items], { log: silent });
  t.pass();
});

testFull(title('openDatabase › on a file system that is mounted read-only is FAILED_PRECONDITION'), async (t) => {
  const folder = mountSmall(t, '4m');
  const filename = join(folder, 'vbs.sqlite');
  const database = await open(t, filename);
  await migrate(database, [items], { log: silent });
  await database.close();
  execFileSync('mount', ['-o', 'remount,ro', folder]);
  await t.throwsAsync(open(t, filename), { code: 'FAILED_PRECONDITION', message: /mounted read-only/ });
  await t.throwsAsync(open(t, join(folder, 'new', 'vbs.sqlite')), { code: 'FAILED_PRECONDITION', message: /mounted read-only/ });
  execFileSync('mount', ['-o', 'remount,rw', folder]);
  t.is(await count(await open(t, filename)), 0);
});
