import type { Knex } from 'knex';
import type { Access, ConnectionInfo } from '../contract/connection.js';
import { Table } from './table.js';

/** An export as the store knows it. Its id is never used again. */
export interface ExportRecord {
  readonly seq: number;
  readonly id: string;
  readonly volumeId: string;
  readonly state: 'live' | 'deleted';
  /** Whom it is for, known also after the attachment was forgotten with its volume; null in rows of before migration 3 whose attachment was gone. */
  readonly attachmentId: string | null;
  readonly node: string | null;
  /** As of the attachment: null also where the hypervisor opens the protocol itself. */
  readonly initiator: string | null;
  readonly exporter: string;
  readonly access: Access;
  /** Who may connect, where the exporter has an access list. */
  readonly initiators: readonly string[] | null;
  /** Without secrets; null until the exporter has made it. */
  readonly connection: ConnectionInfo | null;
  /** `connection.key`, to be found by. */
  readonly connectionKey: string | null;
  readonly address: number | null;
  readonly createdAt: number;
}

export const exportsTable = new Table<ExportRecord>('exports', ['initiators', 'connection']);

/** Whether an export that is live, and was made, is reached by this `connection.key`. */
export async function isLiveKey(db: Knex, key: string): Promise<boolean> {
  return (await exportsTable.query(db).where({ connection_key: key, state: 'live' }).first('id')) !== undefined;
}
