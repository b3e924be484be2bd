import type { Knex } from 'knex';

/** By name, what each is for: a list, a scan or a check of a reference must not read a table whole, however much has ended. */
const indexes = [
  // Lists by both filters; with one of them alone, SQLite may take the state's and read what never ends.
  'attachments_volume_state_seq on attachments (volume_id, state, seq)',
  'operations_resource_state_seq on operations (resource_id, state, seq)',
  // Which operations a process that ends still has; nearly all have none.
  'operations_owner on operations (owner) where owner is not null',
  // What ended long ago.
  'operations_ended on operations (updated_at) where owner is null',
  'exports_state_created on exports (state, created_at)',
  // How many are open, by exporter.
  'exports_state_exporter on exports (state, exporter)',
  // The numbers of an export that ends.
  'numbers_export on numbers (export_id)',
] as const;

export const moreIndexes = {
  number: 2,
  name: 'indexes',
  async up(trx: Knex.Transaction): Promise<void> {
    for (const index of indexes) await trx.raw(`create index ${index}`);
  },
} as const;
