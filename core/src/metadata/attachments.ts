import type { Knex } from 'knex';
import type { Access, DeviceSource } from '../contract/connection.js';
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

/** The attachments that hold a volume. */
export function liveAttachments(db: Knex, volumeId: string): Promise<AttachmentRecord[]> {
  return attachments.list(db, (query) => query.where({ volume_id: volumeId }).whereNot('state', 'detached'));
}
