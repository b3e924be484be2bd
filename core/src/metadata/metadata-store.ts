import { EventEmitter, once } from 'node:events';
import type { Knex } from 'knex';
import { anySignal } from '../any-signal.js';
import { inject, injectable } from '../di.js';
import { VbsError } from '../errors.js';
import type { Clock } from '../model/clock.js';
import type { Database } from './database/open-database.js';
import { insertEvents, type NewEvent } from './events.js';
import { metadataTokens } from './tokens.js';

/** One transaction: every state change in it is committed with its journal rows and its events, or not at all. */
export interface StoreTransaction {
  readonly trx: Knex.Transaction;
  /** Milliseconds since 1970, the same throughout the transaction. */
  readonly now: number;
  /** Adds an event; it is told when, and only if, the transaction commits. */
  emit(event: NewEvent): void;
}

/** The database of one store, with transactions that carry events. */
@injectable
export class MetadataStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #committed = new EventEmitter().setMaxListeners(0);
  #closed = false;

  constructor(@inject(metadataTokens.database) database: Database, @inject(metadataTokens.clock) clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** For reads outside a transaction. @throws UNAVAILABLE: the store is closed. */
  get db(): Knex {
    this.#requireOpen();
    return this.#database.knex;
  }

  get dialect(): Database['dialect'] {
    return this.#database.dialect;
  }

  /** Runs `work` in one immediate transaction; it may be run again when the database was busy, so it must have no other effect. */
  async transaction<T>(work: (tx: StoreTransaction) => Promise<T>): Promise<T> {
    this.#requireOpen();
    let told = false;
    const result = await this.#database.transaction(async (trx) => {
      const events: NewEvent[] = [];
      const now = this.#clock.now();
      const answer = await work({ trx, now, emit: (event) => events.push(event) });
      await insertEvents(trx, events, now);
      told = events.length > 0;
      return answer;
    });
    if (told) this.#committed.emit('events');
    return result;
  }

  /** Ends when this process has committed events, or after `timeMs` (another process may have). */
  async eventsMayBeNew(timeMs: number, signal: AbortSignal): Promise<void> {
    const limit = anySignal(AbortSignal.timeout(timeMs), signal);
    await once(this.#committed, 'events', { signal: limit }).catch((error: unknown) => {
      if (!limit.aborted) throw error;
    });
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#database.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw new VbsError('UNAVAILABLE', 'the store is closed; open it again');
  }
}
