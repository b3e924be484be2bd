import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from './throw-if-aborted.js';

const mebibyte = 1024 * 1024;
const syncEveryBytes = 32 * mebibyte;
const syncEveryMs = 2_000;
/** Who copies faster than the medium takes it waits from here on: what is not on the medium stays bounded. */
const mostUnsyncedBytes = 64 * mebibyte;

export interface DurableProgressOptions {
  readonly signal: AbortSignal;
  /** All below `doneBytes` is on the medium. */
  readonly onDurable: (doneBytes: number) => void;
}

/**
 * Brings a file that is written from front to back to the medium while more is written, and tells how far it is there: about every
 * 32 MiB, or 2 s. The writer waits only when 64 MiB were written beyond the sync that runs.
 */
export class DurableProgress {
  readonly #file: FileHandle;
  readonly #signal: AbortSignal;
  readonly #onDurable: (doneBytes: number) => void;
  #unsynced = 0;
  #beganAt = performance.now();
  #syncing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(file: FileHandle, { signal, onDurable }: DurableProgressOptions) {
    this.#file = file;
    this.#signal = signal;
    this.#onDurable = onDurable;
  }

  /** `length` more bytes were written, and with them all below `doneBytes`. @throws what a sync failed with; the abort. */
  async wrote(length: number, doneBytes: number): Promise<void> {
    this.#unsynced += length;
    if (this.#unsynced >= mostUnsyncedBytes) await this.#syncing;
    this.#throwFailure();
    throwIfAborted(this.#signal);
    const due = this.#unsynced >= syncEveryBytes || performance.now() - this.#beganAt >= syncEveryMs;
    if (!due || this.#syncing !== undefined) return;
    this.#unsynced = 0;
    this.#beganAt = performance.now();
    this.#syncing = this.#sync(doneBytes);
  }

  /** Ends when no sync runs any more, whatever came of it: the file may be closed then. */
  async settled(): Promise<void> {
    await this.#syncing;
  }

  /** Ends when all that was written is on the medium. @throws what a sync failed with; the abort. */
  async finish(doneBytes: number): Promise<void> {
    await this.#syncing;
    this.#throwFailure();
    throwIfAborted(this.#signal);
    await this.#file.datasync();
    this.#onDurable(doneBytes);
  }

  /** Keeps a failure for the writer's next look: a rejection that nobody waits for would end the process. */
  async #sync(doneBytes: number): Promise<void> {
    try {
      await this.#file.datasync();
      this.#onDurable(doneBytes);
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#syncing = undefined;
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
