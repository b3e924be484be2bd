import type { OperationRecord } from '../metadata/operations.js';
import type { Journal } from './journal.js';

type Listener = (doneBytes: number, totalBytes: number) => void;

/** Writes down how far a fill is: one write at a time, the newest report wins. A restart goes on from what was written. */
export class ProgressJournal {
  readonly #journal: Journal;
  readonly #record: () => OperationRecord;
  readonly #listeners = new Set<Listener>();
  #newest: { readonly doneBytes: number; readonly totalBytes: number } | undefined;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(journal: Journal, record: () => OperationRecord) {
    this.#journal = journal;
    this.#record = record;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a report of durable progress. @throws what the last write threw, so that a fill that lost its lease stops. */
  report(doneBytes: number, totalBytes: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#newest = { doneBytes, totalBytes };
    for (const listener of this.#listeners) listener(doneBytes, totalBytes);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    try {
      while (this.#newest !== undefined) {
        const patch = this.#newest;
        this.#newest = undefined;
        await this.#journal.write(this.#record(), { patch });
      }
    } catch (error) {
      this.#failure = error;
    }
  }

  /** Ends when everything reported is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}
