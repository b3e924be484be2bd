import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';
import type { LocatorKind, VolumeLocator } from './connection.js';

/** A volume as its pool has it. */
export interface BackendVolume<L extends LocatorKind = LocatorKind> {
  readonly id: string;
  /** What an initiator sees, in bytes. */
  readonly sizeBytes: number;
  /** Where it lies now: of a volume that is filled it may be another once it is whole. */
  readonly locator: VolumeLocator<L>;
  /** It was made `toBeFilled`, and no `populateVolume` of it has ended: it is not whole, and must not be exported, copied or adopted. */
  readonly filling?: true;
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
  /** It is not whole until a `populateVolume` has ended: it is made as such, and listed as `filling` until then (safety C5). */
  readonly toBeFilled?: true;
}

export interface BackendCloneRequest {
  readonly id: string;
  /** A multiple of the backend's `granularityBytes`. */
  readonly sizeBytes: number;
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

/**
 * The methods that every backend has. What they change is guarded by the id of the volume or snapshot that is made, changed or deleted.
 * @throws INVALID_ARGUMENT: the id is no volume or snapshot id.
 */
export interface VolumeBackendBase<L extends LocatorKind = LocatorKind> {
  /**
   * Allocates a volume that reads zeros everywhere; it is not exported. With `toBeFilled` it is `filling`, durably, from its first
   * moment on. An existing volume of this id and size is answered as it is; one that is whole also where `toBeFilled` is asked.
   * @throws ALREADY_EXISTS: a volume of this id has another size, or is `filling` and a whole one is asked for.
   * @throws RESOURCE_EXHAUSTED: the pool has not enough room.
   */
  createVolume(call: Call, request: BackendVolumeRequest): Promise<BackendVolume<L>>;
  /**
   * Removes a volume and its bytes, whole or `filling`. Removing the absent succeeds once the pool was seen to be this store's.
   * @throws FAILED_PRECONDITION: snapshots depend on it (`context.dependants`), or something holds it open.
   * @throws UNAVAILABLE: the pool could not be seen.
   */
  deleteVolume(call: Call, request: { readonly id: string }): Promise<void>;
  /**
   * Every volume of this store in the pool, in one look: the whole, and those that are to be filled as `filling`. Nothing else that is
   * half made, and each volume once. @throws UNAVAILABLE: the pool could not be seen.
   */
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
     * @throws NOT_FOUND: the volume is absent. FAILED_PRECONDITION: the volume is `filling`.
     * @throws ALREADY_EXISTS: the id is a snapshot of another volume. RESOURCE_EXHAUSTED.
     */
    createSnapshot(call: Call, request: { readonly id: string; readonly volumeId: string }): Promise<BackendSnapshot>;
    /** Removes a snapshot; the absent as in `deleteVolume`. */
    deleteSnapshot(call: Call, request: { readonly id: string }): Promise<void>;
    /** Every whole snapshot of this store in the pool, in one look. */
    listSnapshots(call: Call): Promise<readonly BackendSnapshot[]>;
    /**
     * Copies a snapshot's bytes to the start of a volume that `createVolume` made `toBeFilled`, and answers it as it is then.
     * Goes on from `fromBytes`; reports progress after the bytes are on the medium. Its end makes the volume whole: in one act, once all
     * bytes are on the medium, and durably. Repeating it on a whole volume is success, and copies nothing.
     * @throws NOT_FOUND: snapshot or volume is absent. FAILED_PRECONDITION: the snapshot is invalid.
     * @throws OUT_OF_RANGE: the volume is smaller; `context.leastBytes` is the least size that can hold the snapshot.
     */
    populateVolume(call: Call, request: PopulateVolumeRequest): Promise<BackendVolume<L>>;
  };
  /** A snapshot may be taken while the volume is written to. */
  'live-snapshot': object;
  'instant-clone': {
    /**
     * A volume with the content of a snapshot, zeros behind it, without copying bytes; whole from its first moment on. Idempotent as
     * `createVolume`; an id is made by one of the two, never by both.
     * @throws NOT_FOUND: the snapshot is absent. ALREADY_EXISTS: as `createVolume`. FAILED_PRECONDITION: the snapshot is invalid.
     * @throws OUT_OF_RANGE: the volume would be smaller; `context.leastBytes` is the least size that can hold the snapshot.
     */
    cloneVolume(call: Call, request: BackendCloneRequest): Promise<BackendVolume<L>>;
  };
  extend: {
    /**
     * Grows a volume to `sizeBytes`; what is added reads zeros. A volume that is already as large is answered as it is. Until the
     * added bytes read zeros, `listVolumes` answers the old size.
     * @throws NOT_FOUND, RESOURCE_EXHAUSTED. FAILED_PRECONDITION: cannot grow in its present state (`filling`, an active classic origin).
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
