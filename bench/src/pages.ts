import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BlockStore, type Logger, openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import sqlite3 from 'sqlite3';
import { interleave, timed } from './harness/interleave.js';
import type { Bench, Measurement } from './measurement.js';
import type { Row } from './row.js';

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const few = 10_000;
const pageOf = 100;

/** A page costs the same, however many volumes there are and wherever in the list it is. */
export const pages: Measurement = {
  name: 'pages',
  title: `A page of ${pageOf} of many, in the core: against a page of 10,000`,
  limitMs: { quick: 120_000, full: 600_000 },
  run: (bench) => measurePages(bench, bench.quick ? 100_000 : 1_000_000),
};

type Describe = (store: BlockStore, count: number) => Promise<unknown>;

const firstVolume = volumeId(1);
const farIn = (count: number): string => Buffer.from(`s${Math.floor(count * 0.9)}`).toString('base64url');

const described: Readonly<Record<string, Describe>> = {
  volumes: (store) => store.describeVolumes({ limit: pageOf }),
  'volumes, far in': (store, count) => store.describeVolumes({ limit: pageOf, cursor: farIn(count) }),
  'volumes by state': (store) => store.describeVolumes({ limit: pageOf, state: 'error' }),
  'volumes by state, far in': (store, count) => store.describeVolumes({ limit: pageOf, state: 'error', cursor: farIn(count / 2) }),
  'volumes by ids': (store, count) => store.describeVolumes({ ids: spread(count).map(volumeId) }),
  'attachments by volume and state': (store) => store.describeAttachments({ limit: pageOf, volumeId: firstVolume, state: 'detached' }),
  'operations by resource': (store) => store.describeOperations({ limit: pageOf, resourceId: firstVolume }),
  'operations by resource and state': (store) => store.describeOperations({ limit: pageOf, resourceId: firstVolume, state: 'failed' }),
  'operations by state, far in': (store, count) => store.describeOperations({ limit: pageOf, state: 'succeeded', cursor: farIn(count) }),
};

async function* measurePages(bench: Bench, many: number): AsyncGenerator<Row> {
  const { directory, signal } = bench;
  await using small = await storeWith(join(directory, 'few'), few, bench);
  await using large = await storeWith(join(directory, 'many'), many, bench);
  const turns = { runs: bench.quick ? 50 : 300, warmUp: 20, signal };
  for (const [what, describe] of Object.entries(described)) {
    bench.say(`pages: ${what}`);
    const contestants = {
      vbs: { run: () => timed(() => describe(large, many)) },
      few: { run: () => timed(() => describe(small, few)) },
    };
    const { vbs, few: samples } = await interleave(contestants, turns);
    const peer = { name: `the same of ${few}`, samples };
    yield { kind: 'measured', what: `${what}, of ${many}`, unit: 'ms', vbs, peer, aims: [{ kind: 'ratio-at-most', value: 1.5 }] };
  }
}

/** A store of so many volumes, each made by an operation that is remembered; the first has a long history. */
async function storeWith(directory: string, count: number, { say }: Bench): Promise<BlockStore> {
  const configuration = {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins: [file],
    volumeServers: { vs1: { backends: { files: { plugin: 'file', directory: join(directory, 'pool') } } } },
  } as const;
  const made = await openBlockStore(configuration, { logger: silent });
  await made.close();
  say(`writing ${count} volumes and operations into a database`);
  await fill(configuration.database.filename, count);
  return openBlockStore(configuration, { logger: silent });
}

async function fill(filename: string, count: number): Promise<void> {
  const database = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened = new sqlite3.Database(filename, sqlite3.OPEN_READWRITE, (error) => (error === null ? resolve(opened) : reject(error)));
  });
  try {
    for (const statement of ['begin', ...filling.map((insert) => counted(insert, count)), 'commit']) {
      await promisify<string, void>(database.exec.bind(database))(statement);
    }
  } finally {
    await promisify<void>(database.close.bind(database))();
  }
}

/** An insert for each i from 1 to `count`. */
const counted = (insert: string, count: number): string =>
  `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count}) ${insert}`;

const idOf = (kind: string): string => `'${kind}-' || printf('%017x', i)`;
/** The first thousand are all of the first volume. */
const volume = `case when i <= 1000 then '${firstVolume}' else ${idOf('vol')} end`;

const filling: readonly string[] = [
  ...['vol', 'op', 'exp', 'att'].map((kind) => `insert into ids (id, created_at) select ${idOf(kind)}, 0 from n`),
  `insert into volumes (id, state, size_bytes, requested_bytes, backend, locator, created_at)
   select ${idOf('vol')}, case when i % 50 = 0 then 'error' else 'available' end, 1048576, 1048576, 'vs1/files', '{"kind":"file","path":"/"}', 0 from n`,
  `insert into operations (id, kind, state, resource_id, params, instances, direction, step, output, epoch, created_at, updated_at)
   select ${idOf('op')}, 'create-volume', case when i <= 1000 and i % 9 = 0 then 'failed' else 'succeeded' end, ${volume}, '{}', '[]', 'forward', 0, '{}', i, 0, 0 from n`,
  `insert into exports (id, volume_id, state, exporter, access, created_at)
   select ${idOf('exp')}, ${volume}, 'deleted', 'vs1/nbd', 'read-write', 0 from n where i % 10 = 1 or i <= 1000`,
  `insert into attachments (id, volume_id, state, node, vm_id, vm_key, device, slot, access, export_id, created_at)
   select ${idOf('att')}, ${volume}, 'detached', 'node1', 'vm1', 'vm1', 'xvdb', 'xvdb', 'read-write', ${idOf('exp')}, 0 from n where i % 10 = 1 or i <= 1000`,
];

function volumeId(number: number): string {
  return `vol-${number.toString(16).padStart(17, '0')}`;
}

/** A page's worth of numbers, from the whole list. */
function spread(count: number): readonly number[] {
  return Array.from({ length: pageOf }, (_, index) => 1 + Math.floor((index * count) / pageOf));
}
