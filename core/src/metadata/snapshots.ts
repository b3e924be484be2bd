import { Table } from './table.js';

export const snapshotStates = ['pending', 'completed', 'deleting', 'error'] as const;
export type SnapshotState = (typeof snapshotStates)[number];

/** A snapshot as the store knows it. */
export interface SnapshotRecord {
  readonly seq: number;
  readonly id: string;
  readonly state: SnapshotState;
  readonly reason: string | null;
  readonly volumeId: string;
  readonly sizeBytes: number;
  readonly comment: string | null;
  readonly backend: string;
  readonly createdAt: number;
}

export const snapshots = new Table<SnapshotRecord>('snapshots');
