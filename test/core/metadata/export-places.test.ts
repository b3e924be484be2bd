import { migrate } from '@vbs/core/internal/metadata/database/migrate.js';
import { migrations } from '@vbs/core/internal/metadata/migrations/index.js';
import test from 'ava';
import { newDatabase, silent } from './database/fixture.js';

const place = { vm_id: 'vm', vm_key: 'vm', device: 'xvdb', slot: 'xvdb', access: 'read-write', created_at: 1 } as const;

test('export-places › exports of before know their attachments, and the others that they do not', async (t) => {
  const { database } = await newDatabase(t);
  await migrate(database, migrations.slice(0, 2), { log: silent });
  const { knex } = database;
  for (const id of ['vol-1', 'exp-1', 'exp-2', 'att-1']) await knex('ids').insert({ id, created_at: 1 });
  await knex('volumes').insert({ id: 'vol-1', state: 'available', size_bytes: 1, requested_bytes: 1, backend: 'vs1/fast', created_at: 1 });
  for (const id of ['exp-1', 'exp-2'])
    await knex('exports').insert({ id, volume_id: 'vol-1', state: 'deleted', exporter: 'vs1/out', access: 'read-write', created_at: 1 });
  const ofFirst = { id: 'att-1', volume_id: 'vol-1', export_id: 'exp-1', state: 'detached', node: 'node1', initiator: 'node1/aoe' };
  await knex('attachments').insert({ ...place, ...ofFirst });
  await migrate(database, migrations, { log: silent });
  t.deepEqual(await knex('exports').orderBy('seq').select('id', 'attachment_id', 'node', 'initiator'), [
    { id: 'exp-1', attachment_id: 'att-1', node: 'node1', initiator: 'node1/aoe' },
    { id: 'exp-2', attachment_id: null, node: null, initiator: null },
  ]);
});
