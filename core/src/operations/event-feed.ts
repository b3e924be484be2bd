import { VbsError } from '../errors.js';
import { lastEventSequence, listEvents, type StoreEvent } from '../metadata/events.js';
import type { MetadataStore } from '../metadata/metadata-store.js';

/** How long events of another process may go unseen. */
const pollMs = 500;
const batch = 500;

/** The events of a store, of every process that works on it, in the order of their sequence. */
export class EventFeed {
  readonly #store: MetadataStore;
  readonly #closed: AbortSignal;

  constructor(store: MetadataStore, closed: AbortSignal) {
    this.#store = store;
    this.#closed = closed;
  }

  /** Ends when the signal aborts or the store closes. @throws OUT_OF_RANGE */
  async *follow({
    after,
    signal,
  }: {
    readonly after?: number;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<StoreEvent, void, undefined> {
    if (after !== undefined && !(Number.isSafeInteger(after) && after >= 0)) {
      throw new VbsError(
        typeof after === 'number' ? 'OUT_OF_RANGE' : 'INVALID_ARGUMENT',
        'after must be the sequence of an event, a whole number',
        { context: { field: 'after' } },
      );
    }
    const ended = signal === undefined ? this.#closed : AbortSignal.any([signal, this.#closed]);
    let last = after ?? (await lastEventSequence(this.#store.db));
    while (!ended.aborted) {
      const events = await listEvents(this.#store.db, last, batch);
      for (const event of events) {
        yield event;
        last = event.sequence;
        if (ended.aborted) return;
      }
      if (events.length === 0) await this.#store.eventsMayBeNew(pollMs, ended);
    }
  }
}
