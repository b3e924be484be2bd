import type { ProcessIdentity } from '../machine/process-identity.js';
import { fromJournalText } from '../metadata/json.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { expireProcess, forgetProcesses, otherProcesses } from '../metadata/processes.js';
import type { ProcessLease } from './process-lease.js';

/** The other processes that work, or worked, on this store. */
export class OtherProcesses {
  readonly #store: MetadataStore;
  readonly #lease: ProcessLease;
  readonly #isKnownDead: (identity: ProcessIdentity) => Promise<boolean>;

  constructor(store: MetadataStore, lease: ProcessLease, isKnownDead: (identity: ProcessIdentity) => Promise<boolean>) {
    this.#store = store;
    this.#lease = lease;
    this.#isKnownDead = isKnownDead;
  }

  /** Those whose work may be taken: their lease is over, or they are certainly dead (safety A4). */
  async gone(): Promise<ReadonlySet<string>> {
    const gone = new Set<string>();
    for (const process of await otherProcesses(this.#store.db, this.#store.dialect, this.#lease.processId)) {
      if (process.expired) gone.add(process.id);
      else if (await this.#isKnownDead(fromJournalText<ProcessIdentity>(process.identity))) {
        await this.#store.transaction(({ trx }) => expireProcess(trx, process.id));
        gone.add(process.id);
      }
    }
    if (gone.size > 0) await this.#store.transaction(({ trx }) => forgetProcesses(trx, this.#lease.processId));
    return gone;
  }
}
