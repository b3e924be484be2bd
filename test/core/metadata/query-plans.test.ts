import { countActivity } from '@vbs/core/internal/metadata/activity.js';
import { attachmentInSlot, attachments, liveAttachments } from '@vbs/core/internal/metadata/attachments.js';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { findLeaseConflict } from '@vbs/core/internal/metadata/leases.js';
import { MetadataStore } from '@vbs/core/internal/metadata/metadata-store.js';
import { freeNumber } from '@vbs/core/internal/metadata/numbers.js';
import { operations } from '@vbs/core/internal/metadata/operations.js';
import { forgetProcesses } from '@vbs/core/internal/metadata/processes.js';
import { pruneEnded } from '@vbs/core/internal/metadata/prune.js';
import { firstCall } from '@vbs/core/internal/operations/first-call.js';
import { Queries } from '@vbs/core/internal/operations/queries.js';
import { viewAttachments, viewVolumes } from '@vbs/core/internal/operations/views.js';
import test from 'ava';
import type { Knex } from 'knex';
import { newTables } from './fixture.js';

interface Seen {
  readonly sql: string;
  readonly bindings: readonly unknown[];
}

type Ask = (database: Database, queries: Queries) => Promise<unknown>;

const id = (kind: string): string => `${kind}-${'0'.repeat(17)}`;
const cursor = Buffer.from('s5000').toString('base64url');
const record = { id: 'x', exportId: 'x', volumeId: 'x' } as never;

/** A table is read whole, or more than a page of it is sorted: the cost grows with all that there ever was. */
const growing = /SCAN (?!CONSTANT ROW)|TEMP B-TREE FOR ORDER BY/;

/** `few` tells of a table whose rows end, and are not many: it may be read whole, or sorted. */
const plan = test.macro<[what: string, ask: Ask, few?: RegExp]>({
  title: (_, what) => `plans › ${what} reads no table whole`,
  async exec(t, _, ask, few) {
    const database = await newTables(t);
    const seen: Seen[] = [];
    database.knex.on('query', (query: Seen) => seen.push(query));
    const now = (): number => 0;
    // What is asked for is not there; what was asked of the database counts.
    await ask(database, new Queries(new MetadataStore(database, { now }), () => null)).catch(() => undefined);
    const read = seen.filter(({ sql }) => /^(select|update|delete)/.test(sql));
    t.true(read.length > 0);
    for (const { sql, bindings } of read) {
      const steps: { detail: string }[] = await database.knex.raw(`explain query plan ${sql}`, [...bindings] as Knex.RawBinding[]);
      for (const { detail } of steps) if (growing.test(detail) && few?.test(`${detail} of ${sql}`) !== true) t.fail(`${detail}: ${sql}`);
    }
  },
});

test(plan, 'a page of volumes', (_, queries) => queries.volumes({ cursor }));
test(plan, 'a page of volumes by state', (_, queries) => queries.volumes({ state: 'available', cursor }));
test(plan, 'a page of volumes by ids', (_, queries) => queries.volumes({ ids: [id('vol')], cursor }));
test(plan, 'a page of volumes by ids and state', (_, queries) => queries.volumes({ ids: [id('vol')], state: 'available' }));
test(plan, 'a page of snapshots by state', (_, queries) => queries.snapshots({ state: 'completed', cursor }));
test(plan, 'a page of attachments by volume', (_, queries) => queries.attachments({ volumeId: id('vol'), cursor }));
test(plan, 'a page of attachments by state', (_, queries) => queries.attachments({ state: 'detached', cursor }));
test(plan, 'a page of operations by resource', (_, queries) => queries.operations({ resourceId: id('vol'), cursor }));
test(plan, 'a page of operations by state', (_, queries) => queries.operations({ state: 'succeeded', cursor }));
// What is live or open, of some resources or of all, is sorted after it was found: it is never much.
const sorted = /TEMP B-TREE FOR ORDER BY/;
test(plan, 'what is shown of volumes', ({ knex }) => viewVolumes(knex, [record]), sorted);
test(plan, 'what is shown of attachments', ({ knex }) => viewAttachments(knex, [record]), sorted);
test(plan, 'the look at what holds a volume', ({ knex }) => liveAttachments(knex, 'x'), sorted);
test(plan, 'the look at what holds a slot', ({ knex }) => attachmentInSlot(knex, { node: 'x', vmKey: 'y', slot: 'z' }));
test(plan, 'the look at leases', ({ transaction }) => transaction((trx) => findLeaseConflict(trx, { x: 'shared', y: 'exclusive' })));
test(plan, 'the look for a client token', ({ knex }) => firstCall(knex, 'x', { token: 'y', fingerprint: 'z' }, 0));
test(plan, 'the look for attachments to restore', ({ knex }) => attachments.list(knex, (query) => query.where({ state: 'attached' })));
test(
  plan,
  'the look for operations to recover',
  ({ knex }) => operations.list(knex, (query) => query.whereIn('state', ['running', 'stuck'])),
  sorted,
);
test(plan, 'the count of what goes on', ({ knex }) => countActivity(knex));
test(plan, 'giving a number back', ({ transaction }) => transaction((trx) => freeNumber(trx, 'x')));
test(plan, 'forgetting processes', ({ transaction }) => transaction((trx) => forgetProcesses(trx, '')), /SCAN processes/);
test(plan, 'forgetting what ended', ({ transaction }) => transaction((trx) => pruneEnded(trx, 1)));

test('plans › a page of attachments by volume and state is found by both', async (t) => {
  const { knex } = await newTables(t);
  const steps: { detail: string }[] = await knex.raw(
    'explain query plan select * from attachments where volume_id = ? and state = ? and seq > ? order by seq limit 101',
    ['x', 'detached', 0],
  );
  t.deepEqual(
    steps.map(({ detail }) => detail),
    ['SEARCH attachments USING INDEX attachments_volume_state_seq (volume_id=? AND state=? AND seq>?)'],
  );
});

test('plans › a page of operations by resource and state is found by both', async (t) => {
  const { knex } = await newTables(t);
  const steps: { detail: string }[] = await knex.raw(
    'explain query plan select * from operations where resource_id = ? and state = ? and seq > ? order by seq limit 101',
    ['x', 'succeeded', 0],
  );
  t.deepEqual(
    steps.map(({ detail }) => detail),
    ['SEARCH operations USING INDEX operations_resource_state_seq (resource_id=? AND state=? AND seq>?)'],
  );
});
