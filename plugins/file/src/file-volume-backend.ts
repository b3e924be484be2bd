import { statfs } from 'node:fs/promises';
import path from 'node:path';
import type {
  BackendCloneRequest,
  BackendSnapshot,
  BackendVolume,
  BackendVolumeRequest,
  Call,
  Capacity,
  Instance,
  Lifecycle,
  LocalMachine,
  Logger,
  PopulateVolumeRequest,
  VolumeBackend,
  VolumeBackendTraits,
} from '@vbs/core';
import type { FileConfig } from './config.js';
import { copyExtents } from './copy-extents.js';
import { raiseEpochMark } from './epoch-mark.js';
import { mapFileError, mappingFileErrors } from './map-file-error.js';
import { requireSnapshotId } from './names.js';
import { discardPartial, openPartial, type PartialFile, publish } from './partial-file.js';
import { FilePool } from './pool.js';
import { PoolContents } from './pool-contents.js';
import { type FileSystemAbilities, probeFileSystem, reflink } from './reflink.js';
import { granularityBytes, requireFromBytes, requireRoomFor, requireSize } from './sizes.js';
import { throwIfAborted } from './throw-if-aborted.js';
import { withFile } from './with-file.js';

/** What a directory may be able to do; an opened instance has fewer where its file system cannot share blocks or leave holes. */
export const capabilities = ['snapshot', 'live-snapshot', 'instant-clone', 'extend', 'thin'] as const;
export type FileCapability = (typeof capabilities)[number];

type Fill = (file: PartialFile) => Promise<void>;

/** A pool of volumes that are sparse files in one directory. */
export class FileVolumeBackend implements VolumeBackend<FileCapability, 'file'>, VolumeBackendTraits, Lifecycle<FileCapability> {
  readonly granularityBytes = granularityBytes;
  readonly snapshotKind = 'independent';
  readonly capabilities: ReadonlySet<FileCapability>;
  readonly #pool: FilePool;
  readonly #contents: PoolContents;
  readonly #machine: LocalMachine;
  readonly #log: Logger;

  private constructor(pool: FilePool, machine: LocalMachine, log: Logger, abilities: FileSystemAbilities) {
    this.#pool = pool;
    this.#contents = new PoolContents(pool, log);
    this.#machine = machine;
    this.#log = log;
    const needs: Partial<Record<FileCapability, boolean>> = {
      'live-snapshot': abilities.reflink,
      'instant-clone': abilities.reflink,
      thin: abilities.sparse,
    };
    this.capabilities = new Set(capabilities.filter((capability) => needs[capability] ?? true));
  }

  /** Opens the pool and finds out what its file system can do. @throws FAILED_PRECONDITION: the directory is another's. UNAVAILABLE: the pool is gone. */
  static async open({ baseDirectory, config, machine, name, store, log }: Instance<FileConfig, 'local'>): Promise<FileVolumeBackend> {
    const directory = path.resolve(baseDirectory, config.directory);
    return mappingFileErrors(directory, async () => {
      const pool = await FilePool.open({ directory, backend: name, store, log });
      return new FileVolumeBackend(pool, machine, log, await probeFileSystem(pool.partial, log));
    });
  }

  async createVolume(call: Call, { id, sizeBytes, toBeFilled }: BackendVolumeRequest): Promise<BackendVolume<'file'>> {
    const made = toBeFilled ? this.#contents.filling(id, sizeBytes) : this.#contents.volume(id, sizeBytes);
    requireSize(sizeBytes);
    return this.#change(call, id, async () => {
      const existing = await this.#contents.existingVolume(id, sizeBytes, toBeFilled ? 'any' : 'whole');
      if (existing) return existing;
      await this.#publish(call, made.locator.path, 0o600, ({ handle }) => handle.truncate(sizeBytes));
      return made;
    });
  }

  /** What has the file open keeps its bytes until it closes it: removing the export first is the caller's part. */
  async deleteVolume(call: Call, { id }: { readonly id: string }): Promise<void> {
    this.#contents.volumePath(id);
    await this.#change(call, id, () => this.#contents.removeVolume(id));
  }

  async listVolumes(call: Call): Promise<readonly BackendVolume<'file'>[]> {
    return this.#look(call, () => this.#contents.volumes());
  }

  /** `provisionedBytes` counts volumes and snapshots: the most that they can come to take. */
  async getCapacity(call: Call): Promise<Capacity> {
    return this.#look(call, async () => {
      const { blocks, bavail, bsize } = await statfs(this.#pool.volumes);
      const promised = [...(await this.#contents.volumes()), ...(await this.#contents.snapshots())];
      const provisionedBytes = promised.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      return { totalBytes: blocks * bsize, availableBytes: bavail * bsize, provisionedBytes };
    });
  }

  /** One reflink where the directory can, else a copy, which is of one instant only while nobody writes to the volume. */
  async createSnapshot(call: Call, { id, volumeId }: { readonly id: string; readonly volumeId: string }): Promise<BackendSnapshot> {
    const target = this.#contents.snapshotPath({ id, volumeId });
    return this.#change(call, id, async () => {
      const existing = await this.#contents.existingSnapshot(id, volumeId);
      if (existing) return existing;
      await this.#contents.requireNotFilling(volumeId);
      const source = { id: volumeId, path: this.#contents.volumePath(volumeId), access: 'read' } as const;
      return withFile(source, async (from) => {
        if (this.capabilities.has('live-snapshot')) {
          await this.#publish(call, target, 0o400, (file) => reflink(source.path, file.path));
        } else {
          const { size } = await from.stat();
          await this.#publish(call, target, 0o400, async ({ handle }) => {
            await handle.truncate(size);
            await copyExtents(from, handle, this.#copyOptions(call, 0, size));
          });
        }
        return this.#contents.requireSnapshot(id);
      });
    });
  }

  async deleteSnapshot(call: Call, { id }: { readonly id: string }): Promise<void> {
    requireSnapshotId(id, 'id');
    await this.#change(call, id, () => this.#contents.removeSnapshot(id));
  }

  async listSnapshots(call: Call): Promise<readonly BackendSnapshot[]> {
    return this.#look(call, () => this.#contents.snapshots());
  }

  /** Skips the snapshot's holes: what `createVolume` made reads zeros there. The volume's name changes at the end. */
  async populateVolume(call: Call, { id, snapshotId, fromBytes }: PopulateVolumeRequest): Promise<BackendVolume<'file'>> {
    const target = { id, path: this.#contents.fillingPath(id), access: 'read-write' } as const;
    requireSnapshotId(snapshotId, 'snapshotId');
    return this.#change(call, id, async () => {
      const found = await this.#contents.find(id);
      if (found && !found.filling) return this.#contents.durable(found);
      const snapshot = await this.#contents.requireSnapshot(snapshotId);
      requireFromBytes(fromBytes, snapshot.sizeBytes);
      const sizeBytes = await withFile(target, async (into) => {
        const { size } = await into.stat();
        requireRoomFor(snapshot.sizeBytes, size);
        const source = { id: snapshotId, path: this.#contents.snapshotPath(snapshot), access: 'read' } as const;
        await withFile(source, (from) => copyExtents(from, into, this.#copyOptions(call, fromBytes, snapshot.sizeBytes)));
        await into.sync();
        return size;
      });
      await this.#contents.makeWhole(id);
      return this.#contents.volume(id, sizeBytes);
    });
  }

  async cloneVolume(call: Call, { id, sizeBytes, snapshotId }: BackendCloneRequest): Promise<BackendVolume<'file'>> {
    const target = this.#contents.volumePath(id);
    requireSnapshotId(snapshotId, 'snapshotId');
    requireSize(sizeBytes);
    return this.#change(call, id, async () => {
      const existing = await this.#contents.existingVolume(id, sizeBytes, 'whole');
      if (existing) return existing;
      const snapshot = await this.#contents.requireSnapshot(snapshotId);
      requireRoomFor(snapshot.sizeBytes, sizeBytes);
      await this.#publish(call, target, 0o600, async (file) => {
        await reflink(this.#contents.snapshotPath(snapshot), file.path);
        await file.handle.truncate(sizeBytes);
      });
      return this.#contents.volume(id, sizeBytes);
    });
  }

  /** Grows the file also while it is open elsewhere; never shrinks it. */
  async extendVolume(call: Call, { id, sizeBytes }: { readonly id: string; readonly sizeBytes: number }): Promise<BackendVolume<'file'>> {
    const target = { id, path: this.#contents.volumePath(id), access: 'read-write' } as const;
    requireSize(sizeBytes);
    return this.#change(call, id, async () => {
      await this.#contents.requireNotFilling(id);
      return withFile(target, async (handle) => {
        const { size } = await handle.stat();
        if (size < sizeBytes) await handle.truncate(sizeBytes);
        await handle.sync();
        return this.#contents.volume(id, Math.max(size, sizeBytes));
      });
    });
  }

  async markEpoch(call: Call, { epoch }: { readonly epoch: number }): Promise<{ readonly epoch: number }> {
    return { epoch: await this.#look(call, () => raiseEpochMark(this.#pool.directory, epoch)) };
  }

  /** A sentence when the pool could not be used now. */
  async check({ signal }: Call): Promise<readonly string[]> {
    try {
      throwIfAborted(signal);
      await this.#pool.see();
      await discardPartial(await openPartial(this.#pool.partial, 'check'), this.#log);
      return [];
    } catch (error) {
      return [mapFileError(error, this.#pool.directory).message];
    }
  }

  /** Changes `resource` under its guard (safety B1), once the pool was seen to be this store's. */
  async #change<T>(call: Call, resource: string, act: () => Promise<T>): Promise<T> {
    throwIfAborted(call.signal);
    return this.#machine.guarded(call, resource, () => this.#look(call, act));
  }

  #look<T>(call: Call, act: () => Promise<T>): Promise<T> {
    return mappingFileErrors(this.#pool.directory, async () => {
      throwIfAborted(call.signal);
      await this.#pool.see();
      return act();
    });
  }

  #publish({ signal }: Call, target: string, mode: number, fill: Fill): Promise<void> {
    return publish({ folder: this.#pool.partial, target, mode, signal, log: this.#log, fill });
  }

  #copyOptions({ signal, progress }: Call, fromBytes: number, sizeBytes: number) {
    return { fromBytes, sizeBytes, signal, onDurable: (doneBytes: number) => progress(doneBytes, sizeBytes) };
  }
}
