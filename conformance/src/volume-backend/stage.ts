import assert from 'node:assert/strict';
import type { BackendSnapshot, BackendVolume, Call, ContractTypes, VolumeLocator } from '@vbs/core';
import { type Bytes, fill, holds, mebibyte, scribble } from '../kit/bytes.js';
import { newId } from '../kit/ids.js';
import type { Scene } from '../kit/scene.js';

export interface BackendStageOptions {
  readonly sizeBytes?: number;
  readonly io: {
    read(locator: never, offset: number, length: number): Promise<Uint8Array>;
    write(locator: never, offset: number, bytes: Uint8Array): Promise<void>;
  };
}

type Backend = ContractTypes['volumeBackend']['contract'];

/** A volume that the test made, and what it must hold. */
export interface FilledVolume {
  readonly id: string;
  readonly volume: BackendVolume;
  readonly content: Buffer;
}

/** Volumes, snapshots and their bytes in one test's pool. */
export class BackendStage {
  readonly scene: Scene<'volumeBackend'>;
  readonly granularityBytes: number;
  /** Of the volumes that a test makes, unless it asks for another. */
  readonly sizeBytes: number;
  readonly #io: BackendStageOptions['io'];

  constructor(scene: Scene<'volumeBackend'>, { io, sizeBytes = mebibyte }: BackendStageOptions) {
    this.scene = scene;
    this.#io = io;
    this.granularityBytes = scene.opened.traits.granularityBytes;
    this.sizeBytes = this.roundUp(sizeBytes);
    scene.beforeClose(() => this.#removeAll());
  }

  get backend(): Backend {
    return this.scene.contract;
  }

  call(overrides: Partial<Call> = {}): Call {
    return this.scene.newCall(overrides);
  }

  roundUp(bytes: number): number {
    return Math.ceil(bytes / this.granularityBytes) * this.granularityBytes;
  }

  bytes(locator: VolumeLocator): Bytes {
    // The locator is one of the kinds that the provider declares, which is what the author's io takes.
    return {
      read: (offset, length) => this.#io.read(locator as never, offset, length),
      write: (offset, bytes) => this.#io.write(locator as never, offset, bytes),
    };
  }

  create(id = newId('volume'), sizeBytes = this.sizeBytes): Promise<BackendVolume> {
    return this.backend.createVolume(this.call(), { id, sizeBytes });
  }

  /** A new volume that is to be filled from a snapshot. */
  createToBeFilled(sizeBytes = this.sizeBytes, id = newId('volume')): Promise<BackendVolume> {
    return this.backend.createVolume(this.call(), { id, sizeBytes, toBeFilled: true });
  }

  snapshot(volumeId: string, id = newId('snapshot')): Promise<BackendSnapshot> {
    return this.backend.createSnapshot(this.call(), { id, volumeId });
  }

  populate(id: string, snapshotId: string, fromBytes = 0, overrides: Partial<Call> = {}): Promise<BackendVolume> {
    return this.backend.populateVolume(this.call(overrides), { id, snapshotId, fromBytes });
  }

  /** A new volume that is filled from a snapshot. */
  async filledFrom(snapshotId: string, sizeBytes = this.sizeBytes): Promise<BackendVolume> {
    const { id } = await this.createToBeFilled(sizeBytes);
    return this.populate(id, snapshotId);
  }

  /** A new volume with something in it, holes too. */
  async volume(sizeBytes = this.sizeBytes): Promise<FilledVolume> {
    const volume = await this.create(newId('volume'), sizeBytes);
    return { id: volume.id, volume, content: await this.overwrite(volume, Buffer.alloc(sizeBytes)) };
  }

  /** A new volume without a hole. */
  async dense(sizeBytes = this.sizeBytes): Promise<FilledVolume> {
    const volume = await this.create(newId('volume'), sizeBytes);
    return { id: volume.id, volume, content: await fill(this.bytes(volume.locator), sizeBytes, volume.id) };
  }

  /** Writes to a volume; answers what it holds then. */
  overwrite({ id, locator }: BackendVolume, before: Uint8Array, label = 'first'): Promise<Buffer> {
    return scribble(this.bytes(locator), before, `${id} ${label}`);
  }

  async holds({ id, locator }: BackendVolume, content: Uint8Array, what = 'the volume'): Promise<void> {
    await holds(this.bytes(locator), content, `${what} ${id}`);
  }

  /** What a snapshot holds: what a new volume is filled with from it. */
  async snapshotHolds({ id, sizeBytes }: BackendSnapshot, content: Uint8Array, what = 'the snapshot'): Promise<void> {
    assert.equal(sizeBytes, content.length, `${what} ${id}: sizeBytes`);
    const copy = await this.filledFrom(id, sizeBytes);
    await this.holds(copy, content, `${what} ${id}, copied to`);
    await this.backend.deleteVolume(this.call(), { id: copy.id });
  }

  async listed(id: string): Promise<BackendVolume | undefined> {
    const found = (await this.backend.listVolumes(this.call())).filter((volume) => volume.id === id);
    assert.ok(found.length <= 1, `listVolumes lists ${id} ${found.length} times`);
    return found[0];
  }

  async listedSnapshot(id: string): Promise<BackendSnapshot | undefined> {
    const found = (await this.backend.listSnapshots(this.call())).filter((snapshot) => snapshot.id === id);
    assert.ok(found.length <= 1, `listSnapshots lists ${id} ${found.length} times`);
    return found[0];
  }

  /** All that the pool lists, in the order of ids. */
  async listing() {
    const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);
    return {
      volumes: [...(await this.backend.listVolumes(this.call()))].sort(byId),
      snapshots: this.scene.has('snapshot') ? [...(await this.backend.listSnapshots(this.call()))].sort(byId) : [],
    };
  }

  /** A volume, and where it can a snapshot, that nobody may touch; `untouched` looks at names and bytes. */
  async neighbours(): Promise<{ untouched(): Promise<void> }> {
    const neighbour = await this.volume();
    const snapshot = this.scene.has('snapshot') ? await this.snapshot(neighbour.id) : undefined;
    return {
      untouched: async () => {
        assert.deepEqual(await this.listed(neighbour.id), neighbour.volume, 'the neighbouring volume as it is listed');
        await this.holds(neighbour.volume, neighbour.content, 'the neighbouring volume');
        if (snapshot === undefined) return;
        assert.deepEqual(await this.listedSnapshot(snapshot.id), snapshot, 'the neighbouring snapshot as it is listed');
        await this.snapshotHolds(snapshot, neighbour.content, 'the neighbouring snapshot');
      },
    };
  }

  /** Nothing of a test stays in the pool. */
  async #removeAll(): Promise<void> {
    const { volumes, snapshots } = await this.listing();
    for (const { id } of snapshots) await this.backend.deleteSnapshot(this.call({ epoch: highestEpoch }), { id });
    for (const { id } of volumes) await this.backend.deleteVolume(this.call({ epoch: highestEpoch }), { id });
    const left = await this.listing();
    assert.deepEqual(left, { volumes: [], snapshots: [] }, 'what could not be removed after the test');
  }
}

/** Above every epoch that a test uses: the guards let what clears up in. */
const highestEpoch = 1_000_000;
