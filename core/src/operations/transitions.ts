import { type AttachmentRecord, attachments, liveAttachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { freeNumber } from '../metadata/numbers.js';
import { type SnapshotRecord, snapshots } from '../metadata/snapshots.js';
import { type VolumeRecord, volumes } from '../metadata/volumes.js';

/** What a change of state is part of. */
interface Change {
  readonly tx: StoreTransaction;
  readonly operationId: string;
}

export async function changeVolume(
  { tx, operationId }: Change,
  id: string,
  patch: Partial<VolumeRecord> & Pick<VolumeRecord, 'state'>,
): Promise<void> {
  await volumes.update(tx.trx, id, { reason: null, ...patch });
  tx.emit({ type: `volume.${patch.state}`, resourceId: id, operationId, data: patch.reason == null ? {} : { reason: patch.reason } });
}

export async function changeSnapshot(
  { tx, operationId }: Change,
  id: string,
  patch: Partial<SnapshotRecord> & Pick<SnapshotRecord, 'state'>,
): Promise<void> {
  await snapshots.update(tx.trx, id, { reason: null, ...patch });
  tx.emit({ type: `snapshot.${patch.state}`, resourceId: id, operationId, data: patch.reason == null ? {} : { reason: patch.reason } });
}

export async function changeAttachment(
  { tx, operationId }: Change,
  id: string,
  patch: Partial<AttachmentRecord> & Pick<AttachmentRecord, 'state'>,
): Promise<void> {
  await attachments.update(tx.trx, id, { reason: null, ...patch });
  tx.emit({ type: `attachment.${patch.state}`, resourceId: id, operationId, data: patch.reason == null ? {} : { reason: patch.reason } });
}

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
