import type { Knex } from 'knex';
import type { Access, ConnectionInfo, DeviceSource } from '../contract/connection.js';
import { Table } from './table.js';

export const attachmentStates = ['attaching', 'attached', 'detaching', 'detached'] as const;
export type AttachmentState = (typeof attachmentStates)[number];

/** An attachment as the store knows it; all but `detached` are live and count as holding the volume (safety F4). */
export interface AttachmentRecord {
  readonly seq: number;
  readonly id: string;
  readonly volumeId: string;
  readonly state: AttachmentState;
  readonly reason: string | null;
  readonly node: string;
  /** The initiator's instance name; null when the hypervisor opens the protocol itself. */
  readonly initiator: string | null;
  /** As the caller wrote it. */
  readonly vmId: string;
  /** The hypervisor's durable key for it (safety E3). */
  readonly vmKey: string;
  /** As the caller wrote it. */
  readonly device: string;
  /** The hypervisor's one name for it. */
  readonly slot: string;
  readonly access: Access;
  readonly instanceId: string | null;
  readonly exportId: string;
  /** What the hypervisor was given; null until then. */
  readonly source: DeviceSource | null;
  /** Of the node, when it was attached. */
  readonly bootId: string | null;
  readonly createdAt: number;
}

export const attachments = new Table<AttachmentRecord>('attachments', ['source']);

/** Named one by one, they are looked up in an index: what a volume's long history has ended is not read. */
const liveStates = attachmentStates.filter((state) => state !== 'detached');

/** The attachments that hold a volume. */
export function liveAttachments(db: Knex, volumeId: string): Promise<AttachmentRecord[]> {
  return attachments.list(db, (query) => query.where({ volume_id: volumeId }).whereIn('state', liveStates));
}

/** The attachment that holds a slot of a VM; null when it is free. */
export async function attachmentInSlot(
  db: Knex,
  { node, vmKey, slot }: Pick<AttachmentRecord, 'node' | 'vmKey' | 'slot'>,
): Promise<AttachmentRecord | null> {
  // As a text, not as a bound value: only so is it the condition of the partial index on slots, which is then used.
  const [holder] = await attachments.list(db, (query) => query.where({ node, vm_key: vmKey, slot }).whereRaw("state <> 'detached'"));
  return holder ?? null;
}

/** An attachment with the connection of its export, null where that is not live or was not made yet. */
export interface ConnectedAttachment extends AttachmentRecord {
  readonly connection: ConnectionInfo | null;
}

const connected = new Table<ConnectedAttachment>('attachments', ['source', 'connection']);

/** The live attachments of these volumes with their connections, oldest first, in one query. */
export async function connectedAttachments(db: Knex, volumeIds: readonly string[]): Promise<ConnectedAttachment[]> {
  const rows: Record<string, unknown>[] = await connected
    .query(db)
    .leftJoin('exports', (join) => join.on('exports.id', 'attachments.export_id').andOnVal('exports.state', 'live'))
    .orderBy('attachments.seq')
    .whereIn('attachments.volume_id', volumeIds)
    .whereIn('attachments.state', liveStates)
    .select('attachments.*', 'exports.connection');
  return rows.map((row) => connected.toRecord(row));
}
