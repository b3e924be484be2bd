import type { Attachment, Operation, Snapshot, Volume } from '@vbs/schemas';
import type { Knex } from 'knex';
import { type AttachmentRecord, attachments } from '../metadata/attachments.js';
import { type ExportRecord, exportsTable } from '../metadata/exports.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import type { SnapshotRecord } from '../metadata/snapshots.js';
import type { VolumeRecord } from '../metadata/volumes.js';

const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Records as callers see them; one query for each kind that they refer to. */
export async function viewVolumes(db: Knex, records: readonly VolumeRecord[]): Promise<Volume[]> {
  const ids = records.map(({ id }) => id);
  const live = await attachments.list(db, (query) => query.whereIn('volume_id', ids).whereNot('state', 'detached'));
  const shown = await viewAttachments(db, live);
  const open = await operations.list(db, (query) => query.whereIn('resource_id', ids).whereIn('state', ['running', 'stuck']));
  const byVolume = new Map(open.map((operation) => [operation.resourceId, operation]));
  return records.map(({ id, state, reason, sizeBytes, requestedBytes, comment, snapshotId, backend, createdAt }) => ({
    id,
    state,
    reason: reason ?? stuckReason(byVolume.get(id)),
    sizeBytes,
    requestedBytes,
    comment,
    snapshotId,
    backend,
    createdAt: rfc3339(createdAt),
    attachments: shown.filter((attachment) => attachment.volumeId === id),
    progress: state === 'pending' ? progressOf(byVolume.get(id)) : null,
  }));
}

function progressOf(operation: OperationRecord | undefined): Operation['progress'] {
  if (operation === undefined || operation.totalBytes === null) return null;
  return { doneBytes: operation.doneBytes ?? 0, totalBytes: operation.totalBytes };
}

/** Why a resource stays on its way: in a word where the plugin had one (`guest-busy`), else in a sentence. */
function stuckReason(operation: OperationRecord | undefined): string | null {
  if (operation?.state !== 'stuck') return null;
  const word = operation.error?.context.reason;
  return typeof word === 'string' ? word : operation.reason;
}

export async function viewVolume(db: Knex, record: VolumeRecord): Promise<Volume> {
  const [view] = await viewVolumes(db, [record]);
  if (view === undefined) throw new TypeError('one record gave no view');
  return view;
}

export async function viewAttachments(db: Knex, records: readonly AttachmentRecord[]): Promise<Attachment[]> {
  const exportIds = records.map(({ exportId }) => exportId);
  const exported = new Map((await exportsTable.list(db, (query) => query.whereIn('id', exportIds))).map((record) => [record.id, record]));
  const ids = records.map(({ id }) => id);
  const open = await operations.list(db, (query) => query.whereIn('resource_id', ids).where({ state: 'stuck' }));
  const stuck = new Map(open.map((operation) => [operation.resourceId, operation]));
  return records.map((record) => viewAttachment(record, exported.get(record.exportId), stuck.get(record.id)));
}

function viewAttachment(record: AttachmentRecord, exported: ExportRecord | undefined, stuck: OperationRecord | undefined): Attachment {
  const { id, volumeId, state, reason, node, vmId, device, slot, access, instanceId, exportId, source, createdAt } = record;
  return {
    id,
    volumeId,
    state,
    reason: reason ?? stuckReason(stuck),
    vmmHost: node,
    vmId,
    device,
    slot,
    access,
    instanceId,
    exportId,
    connection: exported?.state === 'live' ? exported.connection : null,
    devicePath: source?.kind === 'block' ? source.path : null,
    createdAt: rfc3339(createdAt),
  };
}

export function viewSnapshot({ id, state, reason, volumeId, sizeBytes, comment, backend, createdAt }: SnapshotRecord): Snapshot {
  return { id, state, reason, volumeId, sizeBytes, comment, backend, createdAt: rfc3339(createdAt) };
}

/** `stepName` says what an operation's step index means. */
export function viewOperation(record: OperationRecord, stepName: (record: OperationRecord) => string | null): Operation {
  const { id, kind, state, resourceId, error, reason, doneBytes, totalBytes, createdAt, updatedAt } = record;
  return {
    id,
    kind,
    state,
    resourceId,
    step: stepName(record),
    progress: totalBytes === null ? null : { doneBytes: doneBytes ?? 0, totalBytes },
    error: error === null ? null : { ...error, context: { ...error.context } },
    reason,
    createdAt: rfc3339(createdAt),
    updatedAt: rfc3339(updatedAt),
  };
}
