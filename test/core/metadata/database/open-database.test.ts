import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { readNow } from '@vbs/core/internal/metadata/database/dialect.js';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import test from 'ava';
import { asNobody, testAsNobody } from '../../../support/as-nobody.js';
import { newCounters, newDatabase, newFolder, open, silent, startChild } from './fixture.js';

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test('openDatabase › writes ahead, syncs each commit and checks foreign keys', async (t) => {
  const { database } = await newDatabase(t);
  const ask = async (pragma: string) => Object.values((await database.knex.raw(`PRAGMA ${pragma}`))[0])[0];
  t.is(await ask('journal_mode'), 'wal');
  t.is(await ask('synchronous'), 2);
  t.is(await ask('foreign_keys'), 1);
  t.is(await ask('busy_timeout'), 5000);
});

test('openDatabase › makes folders of mode 0700 and files of mode 0600', async (t) => {
  const folder = join(await newFolder(t), 'a', 'b');
  const filename = join(folder, 'vbs.sqlite');
  const database = await open(t, filename);
  await database.knex.schema.createTable('some', (table) => table.increments('seq'));
  t.is(await modeOf(folder), 0o700);
  t.is(await modeOf(join(folder, '..')), 0o700);
  for (const path of [filename, `${filename}-wal`, `${filename}-shm`]) t.is(await modeOf(path), 0o600, path);
});

test('openDatabase › takes the rights of others from files that are there', async (t) => {
  const { filename, database } = await newCounters(t);
  for (const path of [filename, `${filename}-wal`, `${filename}-shm`]) await chmod(path, 0o666);
  const second = await open(t, filename);
  for (const path of [filename, `${filename}-wal`, `${filename}-shm`]) t.is(await modeOf(path), 0o600, path);
  await second.close();
  t.is((await database.knex('counters')).length, 1);
});

test('openDatabase › refuses PostgreSQL in this version', async (t) => {
  const error = await t.throwsAsync(openDatabase({ client: 'pg', connection: 'postgres://x' }, { log: silent }), { instanceOf: VbsError });
  t.is(error?.code, 'CONFIG_INVALID');
  t.regex(error?.message ?? '', /PostgreSQL is not in this version/);
});

test('openDatabase › refuses a relative filename as a mistake of the program', async (t) => {
  await t.throwsAsync(openDatabase({ client: 'sqlite3', filename: ':memory:' }, { log: silent }), { instanceOf: TypeError });
});

test('openDatabase › refuses a folder in the place of the file', async (t) => {
  const filename = join(await newFolder(t), 'vbs.sqlite');
  await mkdir(filename);
  await t.throwsAsync(open(t, filename), { code: 'FAILED_PRECONDITION', message: /is no file/ });
});

test('openDatabase › refuses a file that is no database, and leaves it as it is', async (t) => {
  const filename = join(await newFolder(t), 'vbs.sqlite');
  const text = 'no database, but somebody needs it. '.repeat(100);
  await writeFile(filename, text);
  await t.throwsAsync(open(t, filename), { code: 'FAILED_PRECONDITION', message: /is damaged, or is no database.*no copy beside it/ });
  t.is(await readFile(filename, 'utf8'), text);
});

test('openDatabase › names the copies when the file is damaged', async (t) => {
  const filename = join(await newFolder(t), 'vbs.sqlite');
  const copies = ['.before-2-20260101T000000000Z', '.before-3-20260201T000000000Z'].map((end) => `${filename}${end}`);
  for (const path of [filename, ...copies]) await writeFile(path, 'x'.repeat(4096));
  await t.throwsAsync(open(t, filename), {
    code: 'FAILED_PRECONDITION',
    message: new RegExp(`restore the newest copy that is whole: ${copies[1]}, ${copies[0]}$`),
  });
});

test('openDatabase › tells of a damaged page when it is read, and finds it by faults()', async (t) => {
  const { filename, database } = await newDatabase(t);
  await database.knex.schema.createTable('wide', (table) => {
    table.increments('seq');
    table.text('text');
  });
  for (let row = 0; row < 40; row++) await database.knex('wide').insert({ text: 'y'.repeat(3000) });
  await database.close();
  const bytes = await readFile(filename);
  bytes.fill(0xa5, 4096 * 3);
  await writeFile(filename, bytes);
  const reopened = await open(t, filename);
  await t.throwsAsync(reopened.knex('wide').sum('seq'), { code: 'FAILED_PRECONDITION', message: /is damaged/ });
  t.true((await reopened.dialect.faults()).length > 0);
});

test('openDatabase › finds no fault in a sound database', async (t) => {
  const { database } = await newCounters(t);
  t.deepEqual(await database.dialect.faults(), []);
});

testAsNobody(asNobody('openDatabase › a read-only file is PERMISSION_DENIED'), async (t) => {
  const { filename, database } = await newCounters(t);
  await database.close();
  await chmod(join(filename, '..'), 0o777);
  await chmod(filename, 0o444);
  const answer = await startChild(t, 'open', [filename], { asNobody: true }).next();
  t.like(answer, { code: 'PERMISSION_DENIED' });
});

testAsNobody(asNobody('openDatabase › a read-only folder is PERMISSION_DENIED'), async (t) => {
  const folder = await newFolder(t);
  await chmod(folder, 0o555);
  const answer = await startChild(t, 'open', [join(folder, 'vbs.sqlite')], { asNobody: true }).next();
  t.like(answer, { code: 'PERMISSION_DENIED' });
});

test('openDatabase › four processes make one database at once', async (t) => {
  const filename = join(await newFolder(t), 'vbs.sqlite');
  const children = Array.from({ length: 4 }, () => startChild(t, 'open', [filename]));
  for (const child of children) {
    t.is(await child.next(), 'opened');
    await child.ended();
  }
  const database = await open(t, filename);
  t.is((await database.knex('sqlite_master').where('name', 'like', 'made_by_%')).length, 4);
});

test('openDatabase › a database moved away while it is open is not replaced by an empty one', async (t) => {
  const { filename, database } = await newCounters(t);
  await database.close();
  const reopened = await open(t, filename);
  await rename(filename, `${filename}.moved`);
  await t.throwsAsync(loseConnectionAndRead(reopened), { code: 'FAILED_PRECONDITION', message: /is gone/ });
  await t.throwsAsync(stat(filename), { code: 'ENOENT' });

  /** Loses the connection, as a failure of the disk does. */
  async function loseConnectionAndRead({ knex }: typeof database): Promise<unknown> {
    const connection = await knex.client.acquireConnection();
    connection.__knex__disposed = new Error('lost');
    knex.client.releaseConnection(connection);
    return knex('counters');
  }
});

test('close › may be repeated, and ends what comes after', async (t) => {
  const { database } = await newCounters(t);
  await Promise.all([database.close(), database.close()]);
  await t.throwsAsync(database.knex('counters'));
});

test('dialect.now › is the present in whole milliseconds, also inside a transaction', async (t) => {
  const { database } = await newDatabase(t);
  const before = Date.now();
  const now = await database.transaction((trx) => readNow(trx, database.dialect));
  t.true(Number.isSafeInteger(now));
  t.true(now >= before - 1 && now <= Date.now() + 1, `${before} ${now}`);
});
