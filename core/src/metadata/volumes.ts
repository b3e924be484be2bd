import type { VolumeLocator } from '../contract/connection.js';
import { Table } from './table.js';

export const volumeStates = ['pending', 'available', 'attaching', 'in-use', 'detaching', 'deleting', 'error'] as const;
export type VolumeState = (typeof volumeStates)[number];

/** A volume as the store knows it. */
export interface VolumeRecord {
  readonly seq: number;
  readonly id: string;
  readonly state: VolumeState;
  readonly reason: string | null;
  /** What the guest sees: `requestedBytes` rounded up to the backend's granularity. */
  readonly sizeBytes: number;
  readonly requestedBytes: number;
  readonly comment: string | null;
  readonly snapshotId: string | null;
  readonly backend: string;
  /** Null until the backend has made the volume. */
  readonly locator: VolumeLocator | null;
  readonly createdAt: number;
}

export const volumes = new Table<VolumeRecord>('volumes', ['locator']);
