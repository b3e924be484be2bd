import type { Knex } from 'knex';
import { bytesColumn, stateColumn } from '../database/columns.js';

/** Unique among the live alone (safety C5); knex would bind their conditions, which no database takes in an index. */
const partialUniqueIndexes = [
  "attachments_live_slot on attachments (node, vm_key, slot) where state <> 'detached'",
  "attachments_live_writer on attachments (volume_id) where state <> 'detached' and access = 'read-write'",
  "numbers_taken on numbers (space, number) where state = 'taken'",
  'operations_client_token on operations (kind, client_token) where client_token is not null',
] as const;

/** The first tables. Times are integer milliseconds of the database's clock; JSON is text. */
export const initial = {
  number: 1,
  name: 'initial',
  async up(trx: Knex.Transaction): Promise<void> {
    await trx.schema.createTable('store', (table) => {
      table.string('key').primary();
      table.text('value').notNullable();
    });
    await trx.schema.createTable('ids', (table) => {
      table.string('id', 32).primary();
      table.bigInteger('created_at').notNullable();
    });
    await trx.schema.createTable('processes', (table) => {
      table.string('id', 64).primary();
      table.text('identity').notNullable();
      table.text('endpoint');
      table.bigInteger('lease_expires_at').notNullable();
    });
    await trx.schema.createTable('volumes', (table) => {
      table.increments('seq');
      table.string('id', 32).notNullable().unique().references('ids.id');
      stateColumn(table, 'state', ['pending', 'available', 'attaching', 'in-use', 'detaching', 'deleting', 'error']).notNullable();
      table.text('reason');
      bytesColumn(table, 'size_bytes').notNullable();
      bytesColumn(table, 'requested_bytes').notNullable();
      table.text('comment');
      table.string('snapshot_id', 32).references('ids.id');
      table.text('backend').notNullable();
      table.text('locator');
      table.bigInteger('created_at').notNullable();
      table.index(['state', 'seq']);
    });
    await trx.schema.createTable('snapshots', (table) => {
      table.increments('seq');
      table.string('id', 32).notNullable().unique().references('ids.id');
      stateColumn(table, 'state', ['pending', 'completed', 'deleting', 'error']).notNullable();
      table.text('reason');
      table.string('volume_id', 32).notNullable().references('ids.id');
      bytesColumn(table, 'size_bytes').notNullable();
      table.text('comment');
      table.text('backend').notNullable();
      table.bigInteger('created_at').notNullable();
      table.index(['state', 'seq']);
      table.index(['volume_id']);
    });
    await trx.schema.createTable('exports', (table) => {
      table.increments('seq');
      table.string('id', 32).notNullable().unique().references('ids.id');
      table.string('volume_id', 32).notNullable().references('ids.id');
      stateColumn(table, 'state', ['live', 'deleted']).notNullable();
      table.text('exporter').notNullable();
      stateColumn(table, 'access', ['read-write', 'read-only']).notNullable();
      table.text('initiators');
      table.text('connection');
      table.text('connection_key').index();
      table.integer('address');
      table.bigInteger('created_at').notNullable();
      table.index(['volume_id']);
    });
    await trx.schema.createTable('attachments', (table) => {
      table.increments('seq');
      table.string('id', 32).notNullable().unique().references('ids.id');
      table.string('volume_id', 32).notNullable().references('volumes.id');
      stateColumn(table, 'state', ['attaching', 'attached', 'detaching', 'detached']).notNullable();
      table.text('reason');
      table.text('node').notNullable();
      table.text('initiator');
      table.text('vm_id').notNullable();
      table.text('vm_key').notNullable();
      table.text('device').notNullable();
      table.text('slot').notNullable();
      stateColumn(table, 'access', ['read-write', 'read-only']).notNullable();
      table.text('instance_id');
      table.string('export_id', 32).notNullable().unique().references('exports.id');
      table.text('source');
      table.text('boot_id');
      table.bigInteger('created_at').notNullable();
      table.index(['volume_id']);
      table.index(['state', 'seq']);
    });
    await trx.schema.createTable('numbers', (table) => {
      table.increments('seq');
      table.text('space').notNullable();
      table.integer('number').notNullable();
      table.string('export_id', 32).notNullable().references('exports.id');
      stateColumn(table, 'state', ['taken', 'free']).notNullable();
    });
    await trx.schema.createTable('operations', (table) => {
      table.increments('seq');
      table.string('id', 32).notNullable().unique().references('ids.id');
      table.text('kind').notNullable();
      stateColumn(table, 'state', ['running', 'stuck', 'succeeded', 'failed']).notNullable();
      table.string('resource_id', 32).notNullable().references('ids.id');
      table.text('params').notNullable();
      table.text('instances').notNullable();
      stateColumn(table, 'direction', ['forward', 'back']).notNullable();
      table.integer('step').notNullable();
      table.text('output').notNullable();
      table.text('result');
      table.text('error');
      table.text('reason');
      table.string('owner', 64).references('processes.id');
      table.bigInteger('epoch').notNullable();
      table.text('client_token');
      table.text('fingerprint');
      table.integer('cancel_requested').notNullable().defaultTo(0);
      table.bigInteger('deadline_at');
      table.integer('attempts').notNullable().defaultTo(0);
      table.bigInteger('next_try_at');
      bytesColumn(table, 'done_bytes');
      bytesColumn(table, 'total_bytes');
      table.bigInteger('created_at').notNullable();
      table.bigInteger('updated_at').notNullable();
      table.index(['state', 'seq']);
      table.index(['resource_id']);
    });
    await trx.schema.createTable('operation_steps', (table) => {
      table.increments('seq');
      table.string('operation_id', 32).notNullable().references('operations.id');
      table.text('step').notNullable();
      stateColumn(table, 'act', ['do', 'undo']).notNullable();
      stateColumn(table, 'outcome', ['intended', 'done', 'failed', 'unknown']).notNullable();
      table.text('detail');
      table.bigInteger('at').notNullable();
      table.index(['operation_id', 'seq']);
    });
    await trx.schema.createTable('leases', (table) => {
      table.string('resource_id', 32).notNullable();
      table.string('operation_id', 32).notNullable().references('operations.id');
      stateColumn(table, 'mode', ['exclusive', 'shared']).notNullable();
      table.primary(['resource_id', 'operation_id']);
      table.index(['operation_id']);
    });
    await trx.schema.createTable('events', (table) => {
      table.increments('seq');
      table.bigInteger('at').notNullable();
      table.text('type').notNullable();
      table.string('resource_id', 32).notNullable();
      table.string('operation_id', 32);
      table.text('data').notNullable();
    });
    for (const index of partialUniqueIndexes) await trx.raw(`create unique index ${index}`);
  },
} as const;
