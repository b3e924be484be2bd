import { type BackendSnapshot, type BackendVolume, isId, VbsError } from '@vbs/core';
import type { LogicalVolume } from './parse-report.js';
import type { LvmPool, PoolView } from './pool.js';
import { bytesIn, stateIn, type VolumeState, volumeIn } from './tags.js';

/** A volume of this backend, in whatever state. */
export interface FoundVolume {
  readonly id: string;
  readonly lv: LogicalVolume;
  readonly state: VolumeState;
  /** What is whole of it: less than the LV has while it is extended. */
  readonly bytes: number;
}

/** What one look at a pool showed of this backend's volumes and snapshots. */
export class Contents {
  constructor(
    private readonly pool: LvmPool,
    readonly view: PoolView,
  ) {}

  volumes(): readonly BackendVolume<'block'>[] {
    return this.#found().flatMap((found) => (isListed(found) ? [backendVolume(found)] : []));
  }

  snapshots(): readonly BackendSnapshot[] {
    return this.view.group.volumes.flatMap((lv) => this.#snapshot(lv) ?? []);
  }

  /** @throws FAILED_PRECONDITION: an LV of the volume's name is not this store's. */
  find(id: string): FoundVolume | undefined {
    const lv = this.lv(id);
    if (lv === undefined) return undefined;
    const found = this.#isOurs(lv) ? this.#volume(lv) : undefined;
    if (found === undefined) throw this.foreign(id);
    return found;
  }

  /** @throws NOT_FOUND. */
  requireVolume(id: string): FoundVolume {
    const found = this.find(id);
    if (found !== undefined && isListed(found)) return found;
    throw new VbsError('NOT_FOUND', `The pool has no volume ${id}.`, { resource: id });
  }

  /** @throws NOT_FOUND. */
  requireSnapshot(id: string): BackendSnapshot {
    const lv = this.lv(id);
    const found = lv === undefined ? undefined : this.#snapshot(lv);
    if (found !== undefined) return found;
    throw new VbsError('NOT_FOUND', `The pool has no snapshot ${id}.`, { resource: id });
  }

  /** Any LV of this name in the group. */
  lv(name: string): LogicalVolume | undefined {
    return this.view.group.volumes.find((lv) => lv.name === name);
  }

  /** An LV that bears an id of ours, whatever it is by now; undefined also for one that is another's. */
  ownLv(name: string): LogicalVolume | undefined {
    const lv = this.lv(name);
    return lv !== undefined && this.#isOurs(lv) ? lv : undefined;
  }

  /** The classic snapshots that would go with it, of whomever. */
  dependants(id: string): readonly string[] {
    return this.view.group.volumes.filter((lv) => lv.attributes.type === 'snapshot' && lv.origin === id).map(({ name }) => name);
  }

  /** What all volumes and snapshots of this backend may come to take: a classic snapshot what it has, all else its size. */
  provisionedBytes(): number {
    const mine = this.view.group.volumes.filter((lv) => this.#isOurs(lv));
    return mine.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  #found(): readonly FoundVolume[] {
    return this.view.group.volumes.flatMap((lv) => (this.#isOurs(lv) ? (this.#volume(lv) ?? []) : []));
  }

  #volume(lv: LogicalVolume): FoundVolume | undefined {
    const state = stateIn(lv.tags);
    if (!isId('volume', lv.name) || state === undefined) return undefined;
    const whole = state === 'ready' && this.view.thinPool === undefined ? bytesIn(lv.tags) : undefined;
    return { id: lv.name, lv, state, bytes: Math.min(whole ?? lv.sizeBytes, lv.sizeBytes) };
  }

  #snapshot(lv: LogicalVolume): BackendSnapshot | undefined {
    const volumeId = volumeIn(lv.tags);
    if (volumeId === undefined || stateIn(lv.tags) !== 'ready' || !isId('snapshot', lv.name) || !this.#isOurs(lv)) return undefined;
    const { id, sizeBytes } = { id: lv.name, sizeBytes: lv.sizeBytes };
    if (this.view.thinPool !== undefined) return { id, volumeId, sizeBytes };
    // An LV of the name that is no snapshot is what a broken-off lvcreate left.
    const bytes = bytesIn(lv.tags);
    if (lv.attributes.type !== 'snapshot' || lv.origin !== volumeId || bytes === undefined) return undefined;
    const invalid = 'its room ran full, and LVM gave it up: only a new snapshot can be copied from';
    return { id, volumeId, sizeBytes: bytes, ...(lv.attributes.invalid ? { invalid } : {}) };
  }

  /** This store's, and of this backend's kind: a thick and a thin backend may share a group. */
  #isOurs(lv: LogicalVolume): boolean {
    return this.pool.owns(lv) && lv.pool === (this.view.thinPool?.name ?? '');
  }

  /** What to say of an LV that bears an id of ours and is none of ours. */
  foreign(id: string): VbsError {
    const group = this.pool.lvm.settings.volumeGroup;
    const message = `${group}/${id} is there, but does not bear this store's tag or lies in another pool: rename it, or remove it yourself.`;
    return new VbsError('FAILED_PRECONDITION', message, { resource: id, context: { volumeGroup: group } });
  }
}

/** What is half made, or half gone, is nobody's. */
export function isListed({ state }: FoundVolume): boolean {
  return state === 'ready' || state === 'filling';
}

export function backendVolume({ id, lv, state, bytes }: FoundVolume): BackendVolume<'block'> {
  const volume = { id, sizeBytes: bytes, locator: { kind: 'block', path: lv.path } } as const;
  return state === 'filling' ? { ...volume, filling: true } : volume;
}
