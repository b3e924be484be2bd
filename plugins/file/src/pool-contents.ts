import { lstat, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import { type BackendSnapshot, type BackendVolume, type Logger, VbsError } from '@vbs/core';
import { listFiles } from './list-files.js';
import {
  fillingFileName,
  requireSnapshotId,
  saysFilling,
  snapshotFileName,
  snapshotOfFile,
  volumeFileName,
  volumeOfFile,
  volumeOfFillingFile,
} from './names.js';
import type { FilePool } from './pool.js';
import { syncDirectory } from './sync-directory.js';

/** The volumes and snapshots of a pool that was seen to be there. */
export class PoolContents {
  readonly #pool: FilePool;
  readonly #log: Logger;

  constructor(pool: FilePool, log: Logger) {
    this.#pool = pool;
    this.#log = log;
  }

  /** @throws INVALID_ARGUMENT: not a volume id. */
  volumePath(id: string, field = 'id'): string {
    return path.join(this.#pool.volumes, volumeFileName(id, field));
  }

  /** Where a volume lies until it is filled. @throws INVALID_ARGUMENT: not a volume id. */
  fillingPath(id: string): string {
    return path.join(this.#pool.volumes, fillingFileName(id));
  }

  /** @throws INVALID_ARGUMENT: not a snapshot id, or not a volume id. */
  snapshotPath({ id, volumeId }: { readonly id: string; readonly volumeId: string }): string {
    return path.join(this.#pool.snapshots, snapshotFileName(id, volumeId));
  }

  volume(id: string, sizeBytes: number): BackendVolume<'file'> {
    return { id, sizeBytes, locator: { kind: 'file', path: this.volumePath(id) } };
  }

  filling(id: string, sizeBytes: number): BackendVolume<'file'> {
    return { id, sizeBytes, locator: { kind: 'file', path: this.fillingPath(id) }, filling: true };
  }

  /**
   * Looks for those to be filled first: one that becomes whole meanwhile is then seen as whole, where a single look at the folder could
   * miss both of its names.
   */
  async volumes(): Promise<readonly BackendVolume<'file'>[]> {
    const folder = this.#pool.volumes;
    const filling = await listFiles(folder, { read: volumeOfFillingFile, wanted: saysFilling, log: this.#log });
    const whole = await listFiles(folder, { read: volumeOfFile, wanted: (name) => !saysFilling(name), log: this.#log });
    const found = new Map<string, BackendVolume<'file'>>();
    for (const { meaning: id, sizeBytes } of filling) found.set(id, this.filling(id, sizeBytes));
    for (const { meaning: id, sizeBytes } of whole) found.set(id, this.volume(id, sizeBytes));
    return [...found.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  snapshots(): Promise<readonly BackendSnapshot[]> {
    return this.#snapshotsNamed('');
  }

  async #snapshotsNamed(prefix: string): Promise<readonly BackendSnapshot[]> {
    const files = await listFiles(this.#pool.snapshots, {
      read: snapshotOfFile,
      wanted: (name) => name.startsWith(prefix),
      log: this.#log,
    });
    return files.map(({ meaning, sizeBytes }) => ({ ...meaning, sizeBytes }));
  }

  /** A volume that is there, whole or not; null when it is absent. */
  async find(id: string): Promise<BackendVolume<'file'> | null> {
    const size = await sizeOf(this.volumePath(id));
    if (size !== null) return this.volume(id, size);
    const fillingSize = await sizeOf(this.fillingPath(id));
    return fillingSize === null ? null : this.filling(id, fillingSize);
  }

  /**
   * A volume that is there already, durable; null when it is absent.
   * @throws ALREADY_EXISTS: it has another size, or is to be filled where a whole one is wanted.
   */
  async existingVolume(id: string, sizeBytes: number, wanted: 'whole' | 'any'): Promise<BackendVolume<'file'> | null> {
    const found = await this.find(id);
    if (found === null) return null;
    if (found.sizeBytes !== sizeBytes) {
      throw new VbsError('ALREADY_EXISTS', `${id} exists, with ${found.sizeBytes} bytes.`, {
        resource: id,
        context: { field: 'sizeBytes', size: found.sizeBytes },
      });
    }
    if (found.filling && wanted === 'whole') {
      throw new VbsError('ALREADY_EXISTS', `${id} exists, and is to be filled from a snapshot: fill it, or delete it.`, {
        resource: id,
        context: { field: 'toBeFilled' },
      });
    }
    return this.durable(found);
  }

  /** A volume that was found, with the name that it has now durable: what made it may have ended right before. */
  async durable(found: BackendVolume<'file'>): Promise<BackendVolume<'file'>> {
    await syncDirectory(this.#pool.volumes);
    return found;
  }

  /** @throws FAILED_PRECONDITION: the volume is not whole yet. */
  async requireNotFilling(id: string): Promise<void> {
    if ((await this.find(id))?.filling !== true) return;
    throw new VbsError('FAILED_PRECONDITION', `${id} is not whole: it is filled from a snapshot; wait for its end, or delete it.`, {
      resource: id,
    });
  }

  /** Gives a volume whose bytes are all on the medium the name of a whole one. Under its guard, and once no whole one was seen. */
  async makeWhole(id: string): Promise<void> {
    await rename(this.fillingPath(id), this.volumePath(id));
    await syncDirectory(this.#pool.volumes);
  }

  /** A snapshot that is there already, durable; null when it is absent. @throws ALREADY_EXISTS: it is of another volume. */
  async existingSnapshot(id: string, volumeId: string): Promise<BackendSnapshot | null> {
    const [found] = await this.#snapshotsNamed(`${id}.`);
    if (found === undefined) return null;
    if (found.volumeId !== volumeId) {
      throw new VbsError('ALREADY_EXISTS', `${id} exists, as a snapshot of ${found.volumeId}.`, {
        resource: id,
        context: { field: 'volumeId', volumeId: found.volumeId },
      });
    }
    await syncDirectory(this.#pool.snapshots);
    return found;
  }

  /** @throws NOT_FOUND. */
  async requireSnapshot(id: string): Promise<BackendSnapshot> {
    requireSnapshotId(id, 'snapshotId');
    const [found] = await this.#snapshotsNamed(`${id}.`);
    if (found === undefined) throw new VbsError('NOT_FOUND', `${id} is not in the pool ${this.#pool.directory}.`, { resource: id });
    return found;
  }

  async removeVolume(id: string): Promise<void> {
    await unlinkIfThere(this.fillingPath(id));
    await unlinkIfThere(this.volumePath(id));
    await syncDirectory(this.#pool.volumes);
  }

  async removeSnapshot(id: string): Promise<void> {
    requireSnapshotId(id, 'id');
    for (const snapshot of await this.#snapshotsNamed(`${id}.`)) await unlinkIfThere(this.snapshotPath(snapshot));
    await syncDirectory(this.#pool.snapshots);
  }
}

/** The size of a regular file; null when it is absent. @throws FAILED_PRECONDITION: it is something else. */
async function sizeOf(file: string): Promise<number | null> {
  try {
    const found = await lstat(file);
    if (found.isFile()) return found.size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  throw new VbsError('FAILED_PRECONDITION', `${file} is no regular file: move it away.`, { context: { path: file } });
}

async function unlinkIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
