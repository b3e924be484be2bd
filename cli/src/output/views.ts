import type { Attachment, Operation, Pool, Snapshot, Volume } from '@vbs/core';
import type { InstanceCheck, JournalEntry, ReconcileReport, Route } from '@vbs/schemas';
import type { ResourceKind, Resources } from '../client/client.js';
import { humanSize, humanTime, percent } from './sizes.js';
import type { Column } from './table.js';

/** How the items of one kind are shown: their columns, and what --quiet prints of each. */
export interface View<T> {
  readonly columns: readonly Column<T>[];
  readonly idOf: (item: T) => string;
}

type Named = { readonly id: string };
const id = <T extends Named>(): Column<T> => ({ title: 'ID', of: (item) => item.id });
const created = <T extends { readonly createdAt: string }>(leaveOut: number): Column<T> => ({
  title: 'CREATED',
  of: ({ createdAt }) => humanTime(createdAt),
  leaveOut,
});
const text = <T>(title: string, of: (item: T) => string | null, leaveOut: number): Column<T> => ({ title, of, least: 12, leaveOut });

const volume: View<Volume> = {
  idOf: (item) => item.id,
  columns: [
    id(),
    {
      title: 'STATE',
      of: ({ state, progress }) =>
        progress === null || progress === undefined ? state : `${state} ${percent(progress.doneBytes, progress.totalBytes)}`,
    },
    { title: 'SIZE', of: ({ sizeBytes }) => humanSize(sizeBytes) },
    { title: 'BACKEND', of: ({ backend }) => backend, leaveOut: 2 },
    text('ATTACHED TO', ({ attachments }) => attachments.map((one) => `${one.vmmHost}/${one.vmId} ${one.device}`).join(', ') || null, 1),
    { title: 'SNAPSHOT', of: ({ snapshotId }) => snapshotId, leaveOut: 5 },
    created(4),
    text('COMMENT', ({ comment, reason }) => comment ?? reason ?? null, 3),
  ],
};

const snapshot: View<Snapshot> = {
  idOf: (item) => item.id,
  columns: [
    id(),
    { title: 'STATE', of: ({ state }) => state },
    { title: 'SIZE', of: ({ sizeBytes }) => humanSize(sizeBytes) },
    { title: 'VOLUME', of: ({ volumeId }) => volumeId, leaveOut: 1 },
    { title: 'BACKEND', of: ({ backend }) => backend, leaveOut: 2 },
    created(4),
    text('COMMENT', ({ comment, reason }) => comment ?? reason, 3),
  ],
};

const attachment: View<Attachment> = {
  idOf: (item) => item.id,
  columns: [
    id(),
    { title: 'STATE', of: ({ state }) => state },
    { title: 'VOLUME', of: ({ volumeId }) => volumeId },
    text('HOST', ({ vmmHost }) => vmmHost, 1),
    text('VM', ({ vmId }) => vmId, 1),
    text('DEVICE', ({ device }) => device, 1),
    { title: 'ACCESS', of: ({ access }) => access, leaveOut: 4 },
    created(5),
    text('REASON', ({ reason }) => reason, 3),
  ],
};

const operation: View<Operation> = {
  idOf: (item) => item.id,
  columns: [
    id(),
    { title: 'KIND', of: ({ kind }) => kind },
    {
      title: 'STATE',
      of: ({ state, progress }) =>
        progress === null || state === 'succeeded' || state === 'failed'
          ? state
          : `${state} ${percent(progress.doneBytes, progress.totalBytes)}`,
    },
    { title: 'RESOURCE', of: ({ resourceId }) => resourceId, leaveOut: 1 },
    { title: 'STEP', of: ({ step }) => step, leaveOut: 3 },
    { title: 'UPDATED', of: ({ updatedAt }) => humanTime(updatedAt), leaveOut: 4 },
    text('REASON', ({ reason, error }) => reason ?? (error === null ? null : `${error.code}: ${error.message}`), 2),
  ],
};

export const resourceViews: { readonly [K in ResourceKind]: View<Resources[K]> } = {
  volumes: volume,
  snapshots: snapshot,
  attachments: attachment,
  operations: operation,
};

export const journalView: View<JournalEntry> = {
  idOf: ({ step }) => step,
  columns: [
    { title: 'AT', of: ({ at }) => at },
    { title: 'STEP', of: ({ step }) => step },
    { title: 'ACT', of: ({ act }) => act },
    { title: 'OUTCOME', of: ({ outcome }) => outcome },
  ],
};

export const poolView: View<Pool> = {
  idOf: ({ backend }) => backend,
  columns: [
    { title: 'BACKEND', of: ({ backend, isDefault }) => (isDefault ? `${backend} (default)` : backend) },
    { title: 'TOTAL', of: ({ capacity }) => (capacity === null ? null : humanSize(capacity.totalBytes)) },
    { title: 'AVAILABLE', of: ({ capacity }) => (capacity === null ? null : humanSize(capacity.availableBytes)) },
    { title: 'PROVISIONED', of: ({ capacity }) => (capacity === null ? null : humanSize(capacity.provisionedBytes)) },
    text('CAPABILITIES', ({ capabilities }) => capabilities.join(', ') || null, 1),
    text('FAULT', ({ fault }) => fault, 2),
  ],
};

export const routeView: View<Route> = {
  idOf: ({ backend, vmmHost }) => `${backend} ${vmmHost}`,
  columns: [
    { title: 'BACKEND', of: ({ backend }) => backend },
    { title: 'VMM HOST', of: ({ vmmHost }) => vmmHost },
    { title: 'EXPORTER', of: ({ exporter }) => exporter },
    { title: 'INITIATOR', of: ({ initiator, exporter }) => initiator ?? (exporter === null ? null : 'the hypervisor itself') },
    text('NO ROUTE BECAUSE', ({ reason }) => reason, 1),
  ],
};

export const checkView: View<InstanceCheck> = {
  idOf: ({ instance }) => instance,
  columns: [
    { title: 'INSTANCE', of: ({ instance }) => instance },
    { title: 'STATE', of: ({ ok }) => (ok ? 'ok' : 'not well') },
    text('FAULTS', ({ faults }) => faults.join('; ') || null, 1),
  ],
};

export const differenceView: View<ReconcileReport['differences'][number]> = {
  idOf: (item) => item.id,
  columns: [
    { title: 'KIND', of: ({ kind }) => kind },
    { title: 'ID', of: (item) => item.id },
    { title: 'WHAT', of: ({ what }) => what },
    { title: 'INSTANCE', of: ({ instance }) => instance, leaveOut: 1 },
    text('ACTION', ({ action }) => action, 2),
  ],
};
