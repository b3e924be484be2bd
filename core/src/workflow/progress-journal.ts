import type { OperationRecord } from '../metadata/operations.js';
import { Fenced } from './fenced.js';
import type { Journal } from './journal.js';

type Listener = (doneBytes: number, totalBytes: number) => void;

interface Report {
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** Writes down how far a fill is: one write at a time, the newest report wins. A restart goes on from what was written. */
export class ProgressJournal {
  readonly #journal: Journal;
  readonly #record: () => OperationRecord;
  readonly #written: (record: OperationRecord) => void;
  readonly #listeners = new Set<Listener>();
  #newest: Report | undefined;
  #writing: Promise<void> | undefined;
  #fenced: Fenced | undefined;

  /** `written` is told the operation as each write found it. */
  constructor(journal: Journal, record: () => OperationRecord, written: (record: OperationRecord) => void) {
    this.#journal = journal;
    this.#record = record;
    this.#written = written;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a report of durable progress. @throws Fenced: this process lost the operation, and the fill is to stop. */
  report(doneBytes: number, totalBytes: number): void {
    if (this.#fenced !== undefined) throw this.#fenced;
    this.#newest = { doneBytes, totalBytes };
    for (const listener of this.#listeners) listener(doneBytes, totalBytes);
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    while (this.#newest !== undefined) {
      const patch = this.#newest;
      this.#newest = undefined;
      try {
        this.#written(await this.#journal.write(this.#record(), { patch }));
      } catch (error) {
        // A write that the database did not take costs a repeat of a few bytes after a restart; the next report is written again.
        if (error instanceof Fenced) this.#fenced = error;
        return;
      }
    }
  }

  /** Ends when what was reported is written, or could not be. */
  async flush(): Promise<void> {
    await this.#writing;
  }
}
