import { lstat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { type BackendSnapshot, type BackendVolume, type Logger, VbsError } from '@vbs/core';
import { listFiles } from './list-files.js';
import { requireSnapshotId, snapshotFileName, snapshotOfFile, volumeFileName, volumeOfFile } from './names.js';
import type { FilePool } from './pool.js';
import { syncDirectory } from './sync-directory.js';

/** The whole volumes and snapshots of a pool that was seen to be there. */
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

  /** @throws INVALID_ARGUMENT: not a snapshot id, or not a volume id. */
  snapshotPath({ id, volumeId }: { readonly id: string; readonly volumeId: string }): string {
    return path.join(this.#pool.snapshots, snapshotFileName(id, volumeId));
  }

  volume(id: string, sizeBytes: number): BackendVolume<'file'> {
    return { id, sizeBytes, locator: { kind: 'file', path: this.volumePath(id) } };
  }

  async volumes(): Promise<readonly BackendVolume<'file'>[]> {
    const files = await listFiles(this.#pool.volumes, { read: volumeOfFile, log: this.#log });
    return files.map(({ meaning, sizeBytes }) => this.volume(meaning, sizeBytes));
  }

  snapshots(): Promise<readonly BackendSnapshot[]> {
    return this.#snapshotsNamed('');
  }

  async #snapshotsNamed(prefix: string): Promise<readonly BackendSnapshot[]> {
    const files = await listFiles(this.#pool.snapshots, { read: snapshotOfFile, prefix, log: this.#log });
    return files.map(({ meaning, sizeBytes }) => ({ ...meaning, sizeBytes }));
  }

  /** A volume that is there already, durable; null when it is absent. @throws ALREADY_EXISTS: it has another size. */
  async existingVolume(id: string, sizeBytes: number): Promise<BackendVolume<'file'> | null> {
    const size = await sizeOf(this.volumePath(id));
    if (size === null) return null;
    if (size !== sizeBytes) {
      throw new VbsError('ALREADY_EXISTS', `${id} exists, with ${size} bytes.`, { resource: id, context: { field: 'sizeBytes', size } });
    }
    await syncDirectory(this.#pool.volumes);
    return this.volume(id, size);
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
