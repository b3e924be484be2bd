import { chmod, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Logger } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { MiB, newDirectory, refusal } from '../../support/store.js';
import { World } from '../../support/world/world.js';
import { openWorldStore } from '../../support/world/world-store.js';
import { inDatabase } from './fixture.js';

const place = { vmmHost: 'node', vmId: 'vm1', device: 'xvdb' } as const;
const wait = { wait: true } as const;

async function open(t: ExecutionContext, directory: string, logger?: Logger) {
  const world = new World(join(directory, 'world'));
  const opened = await openWorldStore(directory, world, logger === undefined ? {} : { services: { logger } });
  t.teardown(() => opened.store.close());
  return opened;
}

async function attached(t: ExecutionContext, logger?: Logger) {
  const directory = await newDirectory(t);
  const opened = await open(t, directory, logger);
  const { store } = opened;
  const { id: volumeId } = await store.createVolume({ size: MiB }, wait);
  const { id: attachmentId, exportId } = await store.attachVolume({ volumeId, ...place }, wait);
  return { ...opened, directory, volumeId, attachmentId, exportId: exportId ?? '' };
}

test('E5 › exporter and node get one secret of the export, which is in no row, event, view or log', async (t) => {
  const lines: string[] = [];
  const note = (...given: readonly unknown[]): number => lines.push(inspect(given, { depth: 9 }));
  const { store, world, directory, attachmentId, exportId, volumeId } = await attached(t, {
    debug: note,
    info: note,
    warn: note,
    error: note,
  });
  t.deepEqual(world.violations.read(), []);
  const { user, password } = await store.attachmentCredentials(attachmentId);
  t.is(user, exportId);
  t.regex(password.reveal(), /^[0-9a-f]{32}$/);
  t.true(lines.some((line) => line.includes('were given out') && line.includes(attachmentId)));
  const rows = await inDatabase(directory, async ({ knex }) => {
    const tables: { name: string }[] = await knex('sqlite_master').where({ type: 'table' }).select('name');
    return JSON.stringify(await Promise.all(tables.map(({ name }) => knex(name).select())));
  });
  const shown = inspect([password, await store.describeVolumes(), await store.describeAttachments({ volumeId })], { depth: 9 });
  const key = (await readFile(join(directory, 'state', 'master.key'), 'utf8')).trim();
  for (const secret of [password.reveal(), key]) {
    t.false(rows.includes(secret));
    t.false(shown.includes(secret));
    t.false(lines.join('\n').includes(secret));
  }
});

test('E5 › the secret is the same after a restart, and another for each export', async (t) => {
  const { store, directory, attachmentId, volumeId } = await attached(t);
  const first = await store.attachmentCredentials(attachmentId);
  await store.close();
  const again = await open(t, directory);
  t.is((await again.store.attachmentCredentials(attachmentId)).password.reveal(), first.password.reveal());
  await again.store.detachVolume({ volumeId }, wait);
  const { message } = await refusal(t, again.store.attachmentCredentials(attachmentId), 'FAILED_PRECONDITION');
  t.regex(message, /detached/);
  const { id } = await again.store.attachVolume({ volumeId, ...place }, wait);
  t.not((await again.store.attachmentCredentials(id)).password.reveal(), first.password.reveal());
  t.deepEqual(again.world.violations.read(), []);
});

test('E5 › the key that is drawn is for its owner alone, and one open to others is refused', async (t) => {
  const { store, directory } = await attached(t);
  await store.close();
  const path = join(directory, 'state', 'master.key');
  t.is((await stat(path)).mode & 0o777, 0o600);
  await chmod(path, 0o640);
  t.regex((await refusal(t, open(t, directory), 'FAILED_PRECONDITION')).message, /chmod 600/);
});

test('E5 › a key that is lost, or another one, ends the start: live exports would get other passwords', async (t) => {
  const { store, directory, attachmentId } = await attached(t);
  const before = (await store.attachmentCredentials(attachmentId)).password.reveal();
  await store.close();
  const path = join(directory, 'state', 'master.key');
  await rename(path, `${path}.kept`);
  t.regex((await refusal(t, open(t, directory), 'FAILED_PRECONDITION')).message, /is missing.*put it back/);
  await writeFile(path, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
  t.regex((await refusal(t, open(t, directory), 'FAILED_PRECONDITION')).message, /is not the key/);
  await rename(`${path}.kept`, path);
  const again = await open(t, directory);
  t.is((await again.store.attachmentCredentials(attachmentId)).password.reveal(), before);
});

test('E5 › processes that open a new store at once draw one key', async (t) => {
  const directory = await newDirectory(t);
  const stores = await Promise.all([open(t, directory), open(t, directory), open(t, directory)]);
  const [first] = stores;
  const { id: volumeId } = await first.store.createVolume({ size: MiB }, wait);
  const { id } = await first.store.attachVolume({ volumeId, ...place }, wait);
  const passwords = await Promise.all(stores.map(async ({ store }) => (await store.attachmentCredentials(id)).password.reveal()));
  t.is(new Set(passwords).size, 1);
});
