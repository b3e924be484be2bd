import { attachments, liveAttachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { freeNumber } from '../metadata/numbers.js';
import { snapshots } from '../metadata/snapshots.js';
import type { Table } from '../metadata/table.js';
import { volumes } from '../metadata/volumes.js';

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

/** Ends an attachment of which nothing is left outside: its slot, export and number are free, its volume as the others leave it. */
export async function endAttachment(
  change: Change,
  ids: { readonly attachmentId: string; readonly exportId: string; readonly volumeId: string },
  reason: string | null,
): Promise<void> {
  await changeAttachment(change, ids.attachmentId, { state: 'detached', reason });
  await exportsTable.update(change.tx.trx, ids.exportId, { state: 'deleted' });
  await freeNumber(change.tx.trx, ids.exportId);
  await settleVolume(change, ids.volumeId);
}

/** The state of a volume that no operation holds: as its live attachments have it. */
export async function settleVolume(change: Change, volumeId: string): Promise<void> {
  const live = await liveAttachments(change.tx.trx, volumeId);
  await changeVolume(change, volumeId, { state: live.length === 0 ? 'available' : 'in-use' });
}
