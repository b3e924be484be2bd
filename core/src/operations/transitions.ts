import { attachments, liveAttachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { freeNumber } from '../metadata/numbers.js';
import { snapshots } from '../metadata/snapshots.js';
import type { Table } from '../metadata/table.js';
import { type VolumeState, volumes } from '../metadata/volumes.js';

/** What a change of state is part of. */
interface Change {
  readonly tx: StoreTransaction;
  readonly operationId: string;
}

interface Stateful {
  readonly id: string;
  readonly state: string;
  readonly reason: string | null;
}

/** Changes a resource's state, and tells it as an event; a reason that is not given is gone. */
function stateChanger<R extends Stateful>(kind: string, table: Table<R>) {
  return async ({ tx, operationId }: Change, id: string, patch: Partial<R> & Pick<R, 'state'>): Promise<void> => {
    const reason = patch.reason ?? null;
    await table.update(tx.trx, id, { ...patch, reason });
    tx.emit({ type: `${kind}.${patch.state}`, resourceId: id, operationId, data: reason === null ? {} : { reason } });
  };
}

export const changeVolume = stateChanger('volume', volumes);
export const changeSnapshot = stateChanger('snapshot', snapshots);
export const changeAttachment = stateChanger('attachment', attachments);

/** What a resource was before an operation changed its state, to be it again. */
export interface StateBefore<S extends string> {
  readonly state: S;
  readonly reason: string | null;
}

/** An attachment that ends, and what is known of its end. */
export interface EndedAttachment {
  readonly attachmentId: string;
  readonly exportId: string;
  readonly reason: string | null;
  /** The node may still have the connection: its number is not given out again (safety E1). */
  readonly nodeMayHold: boolean;
}

/** Ends an attachment: its slot and export are free, and its number where the node has let go of it. */
export async function endAttachment(change: Change, { attachmentId, exportId, reason, nodeMayHold }: EndedAttachment): Promise<void> {
  await changeAttachment(change, attachmentId, { state: 'detached', reason });
  await exportsTable.update(change.tx.trx, exportId, { state: 'deleted' });
  if (!nodeMayHold) await freeNumber(change.tx.trx, exportId);
}

/** The state of a volume that an operation lets go of: as its live attachments have it. What was `error` stays so: only reset-state ends that. */
export async function settleVolume(change: Change, volumeId: string, before?: StateBefore<VolumeState>): Promise<void> {
  if (before?.state === 'error') return changeVolume(change, volumeId, before);
  const live = await liveAttachments(change.tx.trx, volumeId);
  await changeVolume(change, volumeId, { state: live.length === 0 ? 'available' : 'in-use' });
}
