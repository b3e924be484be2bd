import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openDatabase } from '@vbs/core/internal/metadata/database/open-database.js';
import test, { type ExecutionContext } from 'ava';
import { cannotMount, mountTmpfs, remount } from '../plugins/file/mounts.js';
import { startChild } from '../support/child.js';
import { configurationOf, MiB, newDirectory, newStore, pluginNames, silent } from '../support/store.js';

const program = new URL('store-child.js', import.meta.url);

interface Refused {
  readonly code: string;
  readonly message: string;
  readonly context: { readonly faults?: readonly { readonly path: string; readonly message: string }[] };
}

/** A store with one volume, closed, and its configuration file. */
async function closedStore(
  t: ExecutionContext,
  directory?: string,
): Promise<{ readonly directory: string; readonly file: string; readonly volume: string }> {
  const { store, volume, ...bench } = await newStore(t, directory === undefined ? {} : { directory });
  const { id } = await volume(MiB);
  await store.close();
  return { directory: bench.directory, file: await writeConfiguration(t, configurationOf(bench.directory, pluginNames)), volume: id };
}

async function writeConfiguration(t: ExecutionContext, configuration: object): Promise<string> {
  const file = join(await newDirectory(t), 'vbs.json');
  await writeFile(file, JSON.stringify(configuration));
  return file;
}

/** Opens in a process of its own, which must end by itself: a start that failed leaves no port, no lock and no timer. */
async function open(t: ExecutionContext, file: string): Promise<Refused & { readonly volumes?: readonly string[] }> {
  const child = startChild(t, program, file);
  const said = await child.said();
  const { code, errors } = await child.ended();
  t.is(code, 0, errors);
  return said as unknown as Refused & { readonly volumes?: readonly string[] };
}

async function opensAgain(t: ExecutionContext, file: string, volume: string): Promise<void> {
  t.deepEqual((await open(t, file)).volumes, [`${volume} available`]);
}

test.serial('openBlockStore › with a plugin that is not installed is PLUGIN_INVALID that names it, and nothing is lost', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const wrong = await writeConfiguration(t, configurationOf(directory, [...pluginNames, '@acme/vbs-plugin-none']));
  const refused = await open(t, wrong);
  t.is(refused.code, 'PLUGIN_INVALID');
  t.regex(refused.message, /@acme\/vbs-plugin-none/);
  await opensAgain(t, file, volume);
});

test.serial('openBlockStore › with its port in use names the port, and opens once it is free', async (t) => {
  const { directory, volume } = await closedStore(t);
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  t.teardown(() => holder.close());
  const address = holder.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const volumeServers = {
    vs1: {
      backends: { files: { plugin: 'file', directory: join(directory, 'pool') } },
      exporters: { nbd: { plugin: 'nbd', port } },
    },
  };
  const file = await writeConfiguration(t, configurationOf(directory, pluginNames, { configuration: { volumeServers } }));
  const refused = await open(t, file);
  t.is(refused.code, 'RESOURCE_EXHAUSTED');
  t.true(refused.message.includes(String(port)), refused.message);
  await new Promise((resolve) => holder.close(resolve));
  await opensAgain(t, file, volume);
});

test.serial('openBlockStore › on the pool of another store is FAILED_PRECONDITION that names it, and touches neither', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const other = await closedStore(t);
  const volumeServers = { vs1: { backends: { files: { plugin: 'file', directory: join(other.directory, 'pool') } } } };
  const refused = await open(t, await writeConfiguration(t, configurationOf(directory, pluginNames, { configuration: { volumeServers } })));
  t.is(refused.code, 'FAILED_PRECONDITION');
  t.true(refused.message.includes(join(other.directory, 'pool')));
  t.regex(refused.message, /another store/);
  await opensAgain(t, file, volume);
  await opensAgain(t, other.file, other.volume);
});

test.serial('openBlockStore › on a pool without its marker, or that is empty, is UNAVAILABLE and never marks it again', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const pool = join(directory, 'pool');
  await rename(join(pool, 'vbs-store.json'), join(directory, 'marker'));
  t.is((await open(t, file)).code, 'UNAVAILABLE');
  await t.throwsAsync(readFile(join(pool, 'vbs-store.json')), { code: 'ENOENT' });
  await rename(join(directory, 'marker'), join(pool, 'vbs-store.json'));
  await opensAgain(t, file, volume);
  await rename(pool, join(directory, 'unmounted'));
  await mkdir(pool);
  const refused = await open(t, file);
  t.is(refused.code, 'UNAVAILABLE');
  t.regex(refused.message, /mount/);
  await rm(pool, { recursive: true });
  await rename(join(directory, 'unmounted'), pool);
  await opensAgain(t, file, volume);
});

(cannotMount ? test.skip : test.serial)(
  `openBlockStore › on a read-only data directory says so, and opens once it can be written${cannotMount && ` (skipped: ${cannotMount})`}`,
  async (t) => {
    const directory = await mountTmpfs(t, 64 * MiB);
    const { file, volume } = await closedStore(t, directory);
    await remount(directory, 'ro');
    const refused = await open(t, file);
    t.is(refused.code, 'FAILED_PRECONDITION');
    t.regex(refused.message, /read-only/);
    await remount(directory, 'rw');
    await opensAgain(t, file, volume);
  },
);

(cannotMount ? test.skip : test.serial)(
  `openBlockStore › with a read-only pool alone says so${cannotMount && ` (skipped: ${cannotMount})`}`,
  async (t) => {
    const mounted = await mountTmpfs(t, 64 * MiB);
    const directory = await newDirectory(t);
    const volumeServers = {
      vs1: { backends: { files: { plugin: 'file', directory: join(mounted, 'pool') } }, exporters: { nbd: { plugin: 'nbd', port: 0 } } },
    };
    const first = await newStore(t, { directory, configuration: { volumeServers } });
    const { id } = await first.volume(MiB);
    await first.store.close();
    const file = await writeConfiguration(t, configurationOf(directory, pluginNames, { configuration: { volumeServers } }));
    await remount(mounted, 'ro');
    const refused = await open(t, file);
    t.is(refused.code, 'FAILED_PRECONDITION');
    t.regex(refused.message, /read-only/);
    t.true(refused.message.includes(mounted));
    await remount(mounted, 'rw');
    await opensAgain(t, file, id);
  },
);

test.serial(
  'openBlockStore › on a damaged database is FAILED_PRECONDITION that says what to do, and leaves the file as it is',
  async (t) => {
    const { directory, file, volume } = await closedStore(t);
    const database = join(directory, 'vbs.sqlite');
    const whole = await readFile(database);
    const damaged = Buffer.concat([Buffer.alloc(4096, 'damaged '), whole.subarray(4096)]);
    await writeFile(database, damaged);
    const refused = await open(t, file);
    t.is(refused.code, 'FAILED_PRECONDITION');
    t.regex(refused.message, /is damaged, or is no database.*restore/);
    t.true((await readFile(database)).equals(damaged));
    await writeFile(database, whole);
    await opensAgain(t, file, volume);
  },
);

test.serial('openBlockStore › on the database of a newer VBS is FAILED_PRECONDITION, and leaves it as it is', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const filename = join(directory, 'vbs.sqlite');
  const database = await openDatabase({ client: 'sqlite3', filename }, { log: silent });
  const tables = await database.knex('sqlite_master').where({ type: 'table' }).where('name', 'like', '%migration%').select('name');
  const [{ name }] = tables as [{ name: string }];
  const [newest]: Record<string, unknown>[] = await database.knex(name).orderBy('number', 'desc').limit(1);
  await database.knex(name).insert({ ...newest, number: 999, name: 'of-a-newer-version' });
  await database.close();
  const refused = await open(t, file);
  t.is(refused.code, 'FAILED_PRECONDITION');
  t.regex(refused.message, /newer/);
  const again = await openDatabase({ client: 'sqlite3', filename }, { log: silent });
  await again.knex(name).where({ number: 999 }).delete();
  await again.close();
  await opensAgain(t, file, volume);
});

test.serial('openBlockStore › with the configuration of a newer VBS is CONFIG_INVALID that names the version', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const newer = configurationOf(directory, pluginNames, { configuration: { version: 2, somethingNew: {} } });
  const refused = await open(t, await writeConfiguration(t, newer));
  t.is(refused.code, 'CONFIG_INVALID');
  t.regex(JSON.stringify(refused), /version/);
  await opensAgain(t, file, volume);
});

test.serial('openBlockStore › with a secret whose file is missing is CONFIG_INVALID that names the field and the file', async (t) => {
  const { directory } = await closedStore(t);
  const secret = join(directory, 'password');
  const wrong = configurationOf(directory, pluginNames, { configuration: { database: { client: 'pg', connection: { file: secret } } } });
  const refused = await open(t, await writeConfiguration(t, { ...wrong, stateDirectory: directory }));
  t.is(refused.code, 'CONFIG_INVALID');
  t.true(refused.context.faults?.some(({ path, message }) => path.startsWith('/database/connection') && message.includes(secret)));
});

test.serial('openBlockStore › tells every fault of a configuration at once, each with its path', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const wrong = configurationOf(directory, pluginNames, {
    configuration: {
      volumeServers: {
        vs1: {
          backends: { files: { plugin: 'file', directry: 'x' }, other: { plugin: 'lvm' } },
          exporters: { nbd: { plugin: 'nbd', port: 70_000 } },
        },
      },
    },
  });
  const refused = await open(t, await writeConfiguration(t, wrong));
  t.is(refused.code, 'CONFIG_INVALID');
  const paths = refused.context.faults?.map(({ path }) => path) ?? [];
  for (const path of ['/volumeServers/vs1/backends/files', '/volumeServers/vs1/backends/other', '/volumeServers/vs1/exporters/nbd'])
    t.true(
      paths.some((found) => found.startsWith(path)),
      `${path} in ${paths.join(', ')}`,
    );
  t.regex(refused.message, /directory/);
  await opensAgain(t, file, volume);
});

test.serial('openBlockStore › tells every instance that cannot be opened at once', async (t) => {
  const { directory, file, volume } = await closedStore(t);
  const other = await closedStore(t);
  const third = await closedStore(t);
  const refused = await open(
    t,
    await writeConfiguration(
      t,
      configurationOf(directory, pluginNames, {
        configuration: {
          volumeServers: {
            vs1: { backends: { files: { plugin: 'file', directory: join(other.directory, 'pool') } } },
            vs2: { backends: { files: { plugin: 'file', directory: join(third.directory, 'pool') } } },
          },
        },
      }),
    ),
  );
  t.is(refused.code, 'CONFIG_INVALID');
  t.deepEqual(refused.context.faults?.map(({ path }) => path).sort(), [
    '/volumeServers/vs1/backends/files',
    '/volumeServers/vs2/backends/files',
  ]);
  await opensAgain(t, file, volume);
});

test.serial(
  'openBlockStore › beside a process that owns the exports and VMs describes, creates, and refuses to attach, naming the owner',
  async (t) => {
    const directory = await newDirectory(t);
    const owner = startChild(t, program, directory, 'serve');
    const { pid, volumeId } = await owner.said();
    const { store, volume } = await newStore(t, { directory });
    t.is((await store.describeVolumes({ ids: [String(volumeId)] })).items[0]?.state, 'in-use');
    const { id } = await volume(MiB);
    const attach = store.attachVolume({ volumeId: id, vmmHost: 'sandbox', vmId: 'vm2', device: 'xvdb' }, { wait: true });
    const error = await t.throwsAsync(attach, { code: 'FAILED_PRECONDITION' });
    t.true(error?.message.includes(String(pid)), error?.message);
    t.like(error, { context: { reason: 'owned-elsewhere', owner: { pid } } });
    const detach = store.detachVolume({ volumeId: String(volumeId) }, { wait: true });
    t.true((await t.throwsAsync(detach))?.message.includes(String(pid)));
    owner.process.kill('SIGTERM');
    await owner.ended();
    t.is((await store.describeVolumes({ ids: [String(volumeId)] })).items[0]?.attachments.length, 1);
  },
);
