import { performance } from 'node:perf_hooks';
import type { Logger } from '../contract/call.js';
import { inject, injectable } from '../di.js';
import type { MetadataStore, StoreTransaction } from '../metadata/metadata-store.js';
import { expireProcess, forgetProcesses, insertProcess, renewProcess } from '../metadata/processes.js';
import { Fenced } from './fenced.js';
import type { StoreTimes } from './store-times.js';
import { workflowTokens } from './tokens.js';

/** How this process is known to the others. */
export interface ProcessEntry {
  readonly id: string;
  /** JSON of the process identity (pid, start time, boot id, host name). */
  readonly identity: string;
  readonly endpoint: string | null;
}

/**
 * The lease under which this process holds its operations (safety B3). It expires by the database's clock alone; this process
 * stops by its own monotonic clock at two thirds of it, before anybody else may take over.
 */
@injectable
export class ProcessLease {
  readonly #store: MetadataStore;
  readonly #entry: ProcessEntry;
  readonly #leaseMs: number;
  readonly #log: Logger;
  #heldUntil = Number.NEGATIVE_INFINITY;
  #lapsed = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> = Promise.resolve();

  constructor(
    @inject(workflowTokens.metadata) store: MetadataStore,
    @inject(workflowTokens.process) entry: ProcessEntry,
    @inject(workflowTokens.times) { leaseMs }: Pick<StoreTimes, 'leaseMs'>,
    @inject(workflowTokens.logger) log: Logger,
  ) {
    this.#store = store;
    this.#entry = entry;
    this.#leaseMs = leaseMs;
    this.#log = log;
  }

  get processId(): string {
    return this.#entry.id;
  }

  /** Aborted when this process cannot be sure any more that it holds its operations; another signal from the next renewal on. */
  get lapsed(): AbortSignal {
    return this.#lapsed.signal;
  }

  /** @throws Fenced: the lease may be over. */
  requireHeld(): void {
    if (performance.now() < this.#heldUntil) return;
    this.#lapsed.abort(new Fenced('the lease of this process is over'));
    throw new Fenced('the lease of this process is over');
  }

  async start(): Promise<void> {
    this.#hold(await this.#store.transaction((tx) => this.#insert(tx)));
    this.#timer = setInterval(() => this.#tick(), this.#leaseMs / 6);
    this.#timer.unref();
  }

  #hold(begun: number): void {
    this.#heldUntil = begun + (this.#leaseMs * 2) / 3;
    if (this.#lapsed.signal.aborted) this.#lapsed = new AbortController();
  }

  #tick(): void {
    if (performance.now() >= this.#heldUntil) this.#lapsed.abort(new Fenced('the lease of this process is over'));
    const renewal = this.#renewal.then(() => this.renew());
    this.#renewal = renewal.catch((error: unknown) => this.#log.warn({ err: error }, 'the lease of this process could not be renewed'));
  }

  /** Renews the lease once. */
  async renew(): Promise<void> {
    this.#hold(await this.#store.transaction(async (tx) => (await this.#renew(tx)) ?? (await this.#insert(tx))));
  }

  /**
   * Runs a transaction of the journal, and renews the lease within it where that is due: behind a queue of such transactions a renewal of
   * its own would come too late. @throws Fenced: the lease may be over; what the work threw.
   */
  async transaction<T>(work: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    this.requireHeld();
    const { answer, begun } = await this.#store.transaction(async (tx) => ({
      begun: this.#isDue() ? await this.#renew(tx) : null,
      answer: await work(tx),
    }));
    if (begun !== null) this.#hold(begun);
    return answer;
  }

  #isDue(): boolean {
    const left = this.#heldUntil - performance.now();
    return left < this.#leaseMs / 2;
  }

  /** Answers when it began, by this process's clock: the database counts from there or later. Null: the process is not known any more. */
  async #renew({ trx }: StoreTransaction): Promise<number | null> {
    const begun = performance.now();
    return (await renewProcess(trx, this.#store.dialect, this.#entry.id, this.#leaseMs)) ? begun : null;
  }

  async #insert({ trx }: StoreTransaction): Promise<number> {
    const begun = performance.now();
    await insertProcess(trx, this.#store.dialect, this.#entry, this.#leaseMs);
    return begun;
  }

  /**
   * Stops renewing and ends the lease, so that another process may take over at once what this one left. With calls that still run it
   * is left to end by itself: nobody shall begin beside them before that (safety B2), and after it the guards hold them apart.
   */
  async end({ callsStillRun }: { readonly callsStillRun: boolean }): Promise<void> {
    clearInterval(this.#timer);
    await this.#renewal;
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    if (callsStillRun) return;
    await this.#store.transaction(async ({ trx }) => {
      await expireProcess(trx, this.#entry.id);
      await forgetProcesses(trx, '');
    });
  }
}
