import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';
import type { LocatorKind, VolumeLocator } from './connection.js';

/** A volume as its pool has it. */
export interface BackendVolume<L extends LocatorKind = LocatorKind> {
  readonly id: string;
  /** What an initiator sees, in bytes. */
  readonly sizeBytes: number;
  readonly locator: VolumeLocator<L>;
}

/** A snapshot as its pool has it. `invalid` is a reason why its content is lost (a classic LVM snapshot that ran full). */
export interface BackendSnapshot {
  readonly id: string;
  readonly volumeId: string;
  readonly sizeBytes: number;
  readonly invalid?: string;
}

/** Bytes of a pool. `provisionedBytes` is the sum of what was promised, snapshots too; it may exceed `totalBytes` on thin pools. */
export interface Capacity {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly provisionedBytes: number;
}

export interface BackendVolumeRequest {
  readonly id: string;
  /** A multiple of the backend's `granularityBytes`. */
  readonly sizeBytes: number;
}

export interface BackendCloneRequest extends BackendVolumeRequest {
  readonly snapshotId: string;
}

export interface PopulateVolumeRequest {
  readonly id: string;
  readonly snapshotId: string;
  /** Where to go on, in bytes: all below it was reported as durable progress before. */
  readonly fromBytes: number;
}

/** What one opened backend is like, where one plugin can be several things (thick and thin LVM). */
export interface VolumeBackendTraits {
  /** Sizes are multiples of this many bytes; the core rounds up. */
  readonly granularityBytes: number;
  /**
   * What a snapshot needs: nothing of its volume (`independent`), or the volume itself (`needs-volume`, classic LVM), which
   * then cannot be deleted before it. Absent exactly when `snapshot` is.
   */
  readonly snapshotKind?: 'independent' | 'needs-volume';
}

/** The methods that every backend has. What they change is guarded by the id of the volume or snapshot that is made, changed or deleted. */
export interface VolumeBackendBase<L extends LocatorKind = LocatorKind> {
  /**
   * Allocates a volume that reads zeros everywhere; it is not exported.
   * An existing volume of this id and size is answered as it is.
   * @throws ALREADY_EXISTS: a volume of this id has another size.
   * @throws RESOURCE_EXHAUSTED: the pool has not enough room.
   */
  createVolume(call: Call, request: BackendVolumeRequest): Promise<BackendVolume<L>>;
  /**
   * Removes a volume and its bytes. Removing the absent succeeds once the pool was seen to be this store's.
   * @throws FAILED_PRECONDITION: snapshots depend on it (`context.dependants`), or something holds it open.
   * @throws UNAVAILABLE: the pool could not be seen.
   */
  deleteVolume(call: Call, request: { readonly id: string }): Promise<void>;
  /** Every whole volume of this store in the pool, in one look. @throws UNAVAILABLE: the pool could not be seen. */
  listVolumes(call: Call): Promise<readonly BackendVolume<L>[]>;
  getCapacity(call: Call): Promise<Capacity>;
  /**
   * Raises the pool's mark of the highest epoch that this store has given to at least `epoch`, and answers it. A store that was restored
   * from an older copy, or failed over, finds a higher one than its own (safety D2).
   */
  markEpoch(call: Call, request: { readonly epoch: number }): Promise<{ readonly epoch: number }>;
}

/** Capability → the methods that it obliges a backend to have. */
export interface VolumeBackendCapabilities<L extends LocatorKind = LocatorKind> {
  snapshot: {
    /**
     * Keeps the volume's content of one instant between the call and its answer: every write whose flush was acknowledged
     * before the call, none issued after the answer (safety C2). With `live-snapshot` also while it is written to.
     * An existing snapshot of this id and volume is answered as it is, never taken again.
     * @throws NOT_FOUND: the volume is absent. ALREADY_EXISTS: the id is a snapshot of another volume. RESOURCE_EXHAUSTED.
     */
    createSnapshot(call: Call, request: { readonly id: string; readonly volumeId: string }): Promise<BackendSnapshot>;
    /** Removes a snapshot; the absent as in `deleteVolume`. */
    deleteSnapshot(call: Call, request: { readonly id: string }): Promise<void>;
    /** Every whole snapshot of this store in the pool, in one look. */
    listSnapshots(call: Call): Promise<readonly BackendSnapshot[]>;
    /**
     * Copies a snapshot's bytes to the start of a volume that `createVolume` made and nobody has written to.
     * Goes on from `fromBytes`; reports progress after the bytes are on the medium. Ends when all of it is.
     * @throws NOT_FOUND: snapshot or volume is absent. FAILED_PRECONDITION: the snapshot is invalid. OUT_OF_RANGE: the volume is smaller.
     */
    populateVolume(call: Call, request: PopulateVolumeRequest): Promise<void>;
  };
  /** A snapshot may be taken while the volume is written to. */
  'live-snapshot': object;
  'instant-clone': {
    /**
     * A volume with the content of a snapshot, zeros behind it, without copying bytes. Idempotent as `createVolume`; an id is made by
     * one of the two, never by both.
     */
    cloneVolume(call: Call, request: BackendCloneRequest): Promise<BackendVolume<L>>;
  };
  extend: {
    /**
     * Grows a volume to `sizeBytes`; what is added reads zeros. A volume that is already as large is answered as it is. Until the
     * added bytes read zeros, `listVolumes` answers the old size.
     * @throws NOT_FOUND, RESOURCE_EXHAUSTED. FAILED_PRECONDITION: cannot grow in its present state (an active classic origin).
     */
    extendVolume(call: Call, request: { readonly id: string; readonly sizeBytes: number }): Promise<BackendVolume<L>>;
  };
  /** Room is taken as it is written, not when a volume is made. */
  thin: object;
}
export type VolumeBackendCapability = keyof VolumeBackendCapabilities & string;

/** Allocates storage; never exports it. `class Lvm implements VolumeBackend<'snapshot' | 'extend', 'block'>`. */
export type VolumeBackend<C extends VolumeBackendCapability = never, L extends LocatorKind = LocatorKind> = WithCapabilities<
  VolumeBackendBase<L>,
  VolumeBackendCapabilities<L>,
  C
>;
