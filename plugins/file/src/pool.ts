import { lstat, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isVbsError, type Logger, type StoreIdentity, VbsError } from '@vbs/core';
import { markerName, type Owner, readMarker, requireOwner, writeMarker } from './marker.js';
import { sweepPartials } from './partial-file.js';
import { syncDirectory } from './sync-directory.js';

export interface PoolOptions {
  readonly directory: string;
  /** The backend's path of names. */
  readonly backend: string;
  readonly store: StoreIdentity;
  readonly log: Logger;
}

/** A directory that one backend of one store owns: `vbs-store.json`, `volumes/`, `snapshots/`, `partial/`. */
export class FilePool {
  readonly directory: string;
  readonly volumes: string;
  readonly snapshots: string;
  readonly partial: string;
  readonly #owner: Owner;

  private constructor(directory: string, owner: Owner) {
    this.directory = directory;
    this.volumes = path.join(directory, 'volumes');
    this.snapshots = path.join(directory, 'snapshots');
    this.partial = path.join(directory, 'partial');
    this.#owner = owner;
  }

  /**
   * Opens a pool; marks it, if the store has never seen it and nobody has used it; removes what interrupted calls left.
   * @throws FAILED_PRECONDITION: it is another's, or unmarked with volumes in it. UNAVAILABLE: the store knows it, and its marker or a folder is not there.
   */
  static async open({ directory, backend, store, log }: PoolOptions): Promise<FilePool> {
    const pool = new FilePool(directory, { storeId: store.id, backend });
    if ((await readMarker(directory)) === null) {
      if (store.knowsPool) throw pool.#notThere(markerName);
      await pool.#mark(log);
    }
    await pool.#requireMarker();
    await makeDirectory(pool.partial);
    if (!store.knowsPool) await Promise.all([pool.volumes, pool.snapshots].map(makeDirectory));
    await pool.see();
    await pool.#requireOneFileSystem();
    await sweepPartials(pool.partial, log);
    return pool;
  }

  /** Looks that the pool is there and this store's: what is absent from it then is absent (safety D1). @throws UNAVAILABLE, FAILED_PRECONDITION. */
  async see(): Promise<void> {
    await this.#requireMarker();
    for (const folder of [this.volumes, this.snapshots]) {
      if (!(await isThere(folder))) throw this.#notThere(`${path.basename(folder)}/`);
    }
  }

  async #requireMarker(): Promise<void> {
    const found = await readMarker(this.directory);
    if (found === null) throw this.#notThere(markerName);
    requireOwner(this.directory, this.#owner, found);
  }

  async #mark(log: Logger): Promise<void> {
    await makeDirectory(this.directory);
    await makeDirectory(this.partial);
    for (const folder of [this.volumes, this.snapshots]) {
      // The marker comes before the folders: read once more, another process of this store may have made both meanwhile.
      if ((await isThere(folder)) && (await readMarker(this.directory)) === null) {
        const message = `${this.directory} has ${path.basename(folder)}/ but no marker ${markerName}: put the marker back if it is this store's, or configure an empty directory.`;
        throw new VbsError('FAILED_PRECONDITION', message, { context: { directory: this.directory } });
      }
    }
    try {
      await writeMarker(this.directory, this.partial, this.#owner, log);
    } catch (error) {
      // Another process was faster: whose marker it wrote is for see() to judge.
      if (!isVbsError(error) || error.code !== 'ABORTED') throw error;
    }
  }

  /** Files get their names by link(2), which does not leave a file system. */
  async #requireOneFileSystem(): Promise<void> {
    const { dev } = await stat(this.partial);
    for (const folder of [this.volumes, this.snapshots]) {
      if ((await stat(folder)).dev === dev) continue;
      const message = `${folder} lies on another file system than ${this.partial}: a pool must lie on one; mount the whole directory instead.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { directory: this.directory } });
    }
  }

  #notThere(what: string): VbsError {
    const message = `The pool ${this.directory} has no ${what}, although this store has used it: mount its disk, or put the directory back. It is not marked anew.`;
    return new VbsError('UNAVAILABLE', message, { context: { directory: this.directory, missing: what } });
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    const first = await mkdir(directory, { recursive: true, mode: 0o700 });
    if (first !== undefined) await syncDirectory(path.dirname(first));
  } catch (error) {
    if (!['EEXIST', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    const message = `${directory}, or a folder above it, is no directory: configure another one.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { directory }, cause: error });
  }
}
