import type { Knex } from 'knex';

/** An export knows its attachment, node and initiator itself: the rows of attachments go with their volume, what a node was left with does not. */
export const exportPlaces = {
  number: 3,
  name: 'export-places',
  async up(trx: Knex.Transaction): Promise<void> {
    await trx.schema.alterTable('exports', (table) => {
      table.string('attachment_id', 32);
      table.text('node');
      table.text('initiator');
    });
    const ofAttachment = (column: string) => trx('attachments').select(column).whereRaw('?? = ??', ['attachments.export_id', 'exports.id']);
    await trx('exports').update({ attachment_id: ofAttachment('id'), node: ofAttachment('node'), initiator: ofAttachment('initiator') });
  },
} as const;
