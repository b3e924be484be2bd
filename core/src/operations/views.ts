import type { Attachment, Operation, Snapshot, Volume } from '@vbs/schemas';
import type { Knex } from 'knex';
import { type AttachmentRecord, type ConnectedAttachment, connectedAttachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import type { SnapshotRecord } from '../metadata/snapshots.js';
import type { VolumeRecord } from '../metadata/volumes.js';

const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();

/** Volumes as callers see them, with what is attached and what goes on: two queries, however many they are. */
export async function viewVolumes(db: Knex, records: readonly VolumeRecord[]): Promise<Volume[]> {
  const ids = records.map(({ id }) => id);
  if (ids.length === 0) return [];
  const live = await connectedAttachments(db, ids);
  const open = await openOperations(db, [...ids, ...live.map(({ id }) => id)]);
  const attached = new Map<string, Attachment[]>();
  for (const record of live) {
    const shown = attached.get(record.volumeId) ?? [];
    attached.set(record.volumeId, [...shown, viewAttachment(record, open.get(record.id))]);
  }
  return records.map((record) => showVolume(record, attached.get(record.id) ?? [], open.get(record.id)));
}

export async function viewVolume(db: Knex, record: VolumeRecord): Promise<Volume> {
  const [view] = await viewVolumes(db, [record]);
  if (view === undefined) throw new TypeError('one record gave no view');
  return view;
}

/** A volume that was just made, and still is its operation's alone: nothing can be attached. */
export function newVolume(record: VolumeRecord): Volume {
  return showVolume(record, [], undefined);
}

function showVolume(record: VolumeRecord, attached: readonly Attachment[], operation: OperationRecord | undefined): Volume {
  const { id, state, reason, sizeBytes, requestedBytes, comment, snapshotId, backend, createdAt } = record;
  return {
    id,
    state,
    reason: reason ?? stuckReason(operation),
    sizeBytes,
    requestedBytes,
    comment,
    snapshotId,
    backend,
    createdAt: rfc3339(createdAt),
    attachments: [...attached],
    progress: state === 'pending' ? progressOf(operation) : null,
  };
}

/** The operations that run or are stuck, by what they are about. */
async function openOperations(db: Knex, resourceIds: readonly string[]): Promise<ReadonlyMap<string, OperationRecord>> {
  const open = await operations.list(db, (query) => query.whereIn('resource_id', resourceIds).whereIn('state', ['running', 'stuck']));
  return new Map(open.map((operation) => [operation.resourceId, operation]));
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

export async function viewAttachments(db: Knex, records: readonly AttachmentRecord[]): Promise<Attachment[]> {
  const ids = records.map(({ id }) => id);
  if (ids.length === 0) return [];
  const exportIds = records.map(({ exportId }) => exportId);
  const exported = await exportsTable.list(db, (query) => query.whereIn('id', exportIds).where({ state: 'live' }));
  const connections = new Map(exported.map(({ id, connection }) => [id, connection]));
  const open = await openOperations(db, ids);
  return records.map((record) => viewAttachment({ ...record, connection: connections.get(record.exportId) ?? null }, open.get(record.id)));
}

/** `operation` is the open one that is about it, if there is one. */
export function viewAttachment(record: ConnectedAttachment, operation?: OperationRecord): Attachment {
  const { id, volumeId, state, reason, node, vmId, device, slot, access, instanceId, exportId, connection, source, createdAt } = record;
  return {
    id,
    volumeId,
    state,
    reason: reason ?? stuckReason(operation),
    vmmHost: node,
    vmId,
    device,
    slot,
    access,
    instanceId,
    exportId,
    connection,
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
