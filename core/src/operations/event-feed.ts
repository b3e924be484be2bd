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

  /** Without `after`, from the call on. Ends when the signal aborts or the store closes. @throws INVALID_ARGUMENT, OUT_OF_RANGE */
  follow({ after, signal }: { readonly after?: number; readonly signal?: AbortSignal }): AsyncGenerator<StoreEvent, void, undefined> {
    const ended = signal === undefined ? this.#closed : AbortSignal.any([signal, this.#closed]);
    const from = after === undefined && !ended.aborted ? lastEventSequence(this.#store.db) : Promise.resolve(after ?? 0);
    // Told to whoever iterates; nobody may.
    from.catch(() => undefined);
    return this.#follow(from, ended);
  }

  async *#follow(from: Promise<number>, ended: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    let last = requireSequence(await from);
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

function requireSequence(after: unknown): number {
  if (Number.isSafeInteger(after) && Number(after) >= 0) return Number(after);
  throw new VbsError(
    typeof after === 'number' ? 'OUT_OF_RANGE' : 'INVALID_ARGUMENT',
    'after must be the sequence of an event, a whole number',
    {
      context: { field: 'after' },
    },
  );
}
