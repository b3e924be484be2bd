import type { Logger } from '../contract/call.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import { Fenced } from './fenced.js';
import type { Journal } from './journal.js';
import type { OperationEngine } from './operation-engine.js';
import type { OtherProcesses } from './other-processes.js';
import type { ProcessLease } from './process-lease.js';

export interface RecoveryOptions {
  readonly scanMs: number;
  readonly now: () => number;
  readonly log: Logger;
  readonly others: OtherProcesses;
  /** This process has every one of these instances open. */
  readonly canServe: (instances: readonly string[]) => boolean;
}

/**
 * Finds operations that nobody works on and takes them over (safety A4): those of processes known dead at once, those whose
 * owner's lease is over, and those of this process that are stuck and due, or that a fault of the database left behind.
 */
export class Recovery {
  readonly #store: MetadataStore;
  readonly #journal: Journal;
  readonly #engine: OperationEngine;
  readonly #lease: ProcessLease;
  readonly #options: RecoveryOptions;
  #timer: NodeJS.Timeout | undefined;
  /** The looks that run or are asked for, one after the other: two at a time would take the same operation from each other. */
  #turn: Promise<void> = Promise.resolve();
  #asked = 0;
  #stopped = false;
  /** Operations that this process cannot go on with, told of once. */
  readonly #leftAlone = new Set<string>();

  constructor(store: MetadataStore, journal: Journal, engine: OperationEngine, lease: ProcessLease, options: RecoveryOptions) {
    this.#store = store;
    this.#journal = journal;
    this.#engine = engine;
    this.#lease = lease;
    this.#options = options;
  }

  /** Looks once, now, and every few seconds from then on; not while a look still runs. */
  async start(): Promise<void> {
    await this.#scan(new Set());
    this.#timer = setInterval(() => {
      if (this.#asked === 0) void this.scan();
    }, this.#options.scanMs).unref();
  }

  /** Looks now; an operation that is named is tried even when it is not due. */
  scan(due: readonly string[] = []): Promise<void> {
    this.#asked += 1;
    this.#turn = this.#turn.then(async () => {
      if (!this.#stopped) await this.#scan(new Set(due)).catch((error: unknown) => this.#note(error));
      this.#asked -= 1;
    });
    return this.#turn;
  }

  #note(error: unknown): void {
    if (error instanceof Fenced) return;
    this.#options.log.warn({ err: error }, 'the look for operations to recover failed; it is done again');
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#turn;
  }

  async #scan(due: ReadonlySet<string>): Promise<void> {
    const gone = await this.#options.others.gone();
    const open = await operations.list(this.#store.db, (query) => query.whereIn('state', ['running', 'stuck']));
    for (const record of open) {
      if (this.#stopped) return;
      if (!this.#isToTake(record, gone, due)) continue;
      if (this.#isServed(record)) await this.#take(record).catch((error: unknown) => this.#note(error));
    }
  }

  #isToTake(record: OperationRecord, gone: ReadonlySet<string>, due: ReadonlySet<string>): boolean {
    if (record.owner === null || this.#engine.isBusyWith(record.id)) return false;
    if (record.owner !== this.#lease.processId) return gone.has(record.owner);
    return record.state === 'running' || due.has(record.id) || (record.nextTryAt ?? 0) <= this.#options.now();
  }

  /** Whether this process knows the kind, and has every instance open; what nobody can go on with is said once. */
  #isServed({ id, kind, resourceId, instances }: OperationRecord): boolean {
    if (this.#engine.knows(kind) && this.#options.canServe(instances)) return true;
    if (this.#leftAlone.has(id)) return false;
    this.#leftAlone.add(id);
    this.#options.log.warn(
      { operationId: id, kind, resourceId, instances },
      'operation waits for a process that has its kind and instances; or abandon it',
    );
    return false;
  }

  async #take(record: OperationRecord): Promise<void> {
    const adopted = record.owner === null ? null : await this.#journal.adopt(record.id, record.owner);
    if (adopted === null || this.#engine.isBusyWith(record.id)) return;
    this.#options.log.info({ operationId: record.id, kind: record.kind, state: record.state, from: record.owner }, 'operation is taken up');
    this.#engine.launch(adopted, true);
  }
}
