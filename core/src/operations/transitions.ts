import type { Knex } from 'knex';
import { type AttachmentRecord, attachments, liveAttachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { freeNumber } from '../metadata/numbers.js';
import { snapshots } from '../metadata/snapshots.js';
import type { Table } from '../metadata/table.js';
import { type VolumeRecord, type VolumeState, volumes } from '../metadata/volumes.js';

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

/** Changes a resource's state, and tells it as an event; a reason that is not given is gone. Answers the resource as it is then; null when it is gone. */
function stateChanger<R extends Stateful>(kind: string, table: Table<R>) {
  return async ({ tx, operationId }: Change, id: string, patch: Partial<R> & Pick<R, 'state'>): Promise<R | null> => {
    const reason = patch.reason ?? null;
    const changed = await table.update(tx.trx, id, { ...patch, reason });
    tx.emit({ type: `${kind}.${patch.state}`, resourceId: id, operationId, data: reason === null ? {} : { reason } });
    return changed;
  };
}

/** As {@link changeVolume}, but for a volume in `error`: only reset-state ends that. */
export async function changeVolumeUnlessError({ tx, operationId }: Change, id: string, state: VolumeState): Promise<void> {
  const isNoError = (query: Knex.QueryBuilder): Knex.QueryBuilder => query.whereNot({ state: 'error' });
  if ((await volumes.updateIf(tx.trx, id, isNoError, { state, reason: null })) === null) return;
  tx.emit({ type: `volume.${state}`, resourceId: id, operationId, data: {} });
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
  /** The number that was drawn for its export; null where its exporter has none. */
  readonly address: number | null;
  readonly reason: string | null;
  /** The node may still have the connection: its number is not given out again (safety E1). */
  readonly nodeMayHold: boolean;
}

/** Ends an attachment: its slot and export are free, and its number where the node has let go of it. Answers it as it is then. */
export async function endAttachment(
  change: Change,
  { attachmentId, exportId, address, reason, nodeMayHold }: EndedAttachment,
): Promise<AttachmentRecord | null> {
  const ended = await changeAttachment(change, attachmentId, { state: 'detached', reason });
  await exportsTable.update(change.tx.trx, exportId, { state: 'deleted' });
  if (!nodeMayHold && address !== null) await freeNumber(change.tx.trx, exportId);
  return ended;
}

/** The state of a volume that an operation lets go of: as its live attachments have it. What was `error` stays so: only reset-state ends that. */
export async function settleVolume(change: Change, volumeId: string, before?: StateBefore<VolumeState>): Promise<VolumeRecord | null> {
  if (before?.state === 'error') return changeVolume(change, volumeId, before);
  const live = await liveAttachments(change.tx.trx, volumeId);
  return changeVolume(change, volumeId, { state: live.length === 0 ? 'available' : 'in-use' });
}
