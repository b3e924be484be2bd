import type { Knex } from 'knex';
import { attachments } from './attachments.js';
import { fromJournalText } from './json.js';

/** Whom a live export lets in for an attachment of a node. */
export interface IdentityInUse {
  readonly node: string;
  /** The node's initiator; null where its hypervisor opens the protocol itself. */
  readonly initiator: string | null;
  readonly exporter: string;
  readonly initiators: readonly string[];
}

/** The names under which nodes with live attachments connect, each once. */
export async function identitiesInUse(db: Knex): Promise<readonly IdentityInUse[]> {
  const rows: { node: string; initiator: string | null; exporter: string; initiators: string }[] = await attachments
    .query(db)
    .join('exports', 'exports.id', 'attachments.export_id')
    .whereRaw("attachments.state <> 'detached'")
    .where('exports.state', 'live')
    .whereNotNull('exports.initiators')
    .distinct('attachments.node', 'attachments.initiator', 'exports.exporter', 'exports.initiators');
  return rows.map(({ initiators, ...row }) => ({ ...row, initiators: fromJournalText<readonly string[]>(initiators) }));
}
