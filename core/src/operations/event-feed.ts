import { anySignal } from '../any-signal.js';
import { VbsError } from '../errors.js';
import { firstEventSequence, lastEventSequence, listEvents, type StoreEvent } from '../metadata/events.js';
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

  /**
   * Without `after`, from the call on; with 0, from the oldest that is kept. Ends when the signal aborts or the store closes.
   * @throws INVALID_ARGUMENT, OUT_OF_RANGE: to whoever iterates: `after` is no sequence, or what came after it is not kept any more.
   */
  follow({ after, signal }: { readonly after?: number; readonly signal?: AbortSignal }): AsyncGenerator<StoreEvent, void, undefined> {
    const ended = anySignal(signal, this.#closed);
    const from = ended.aborted ? Promise.resolve(0) : this.#start(after);
    // Told to whoever iterates; nobody may.
    from.catch(() => undefined);
    return this.#follow(from, ended);
  }

  async #start(after: number | undefined): Promise<number> {
    const { db } = this.#store;
    const last = await lastEventSequence(db);
    if (after === undefined) return last;
    requireSequence(after);
    if (after === 0) return 0;
    const first = (await firstEventSequence(db)) ?? last + 1;
    if (after >= first - 1 && after <= last) return after;
    throw new VbsError(
      'OUT_OF_RANGE',
      `the events after ${after} are not all kept, or not of this store: after must be 0, or from ${first - 1} to ${last}. Describe what you follow anew, and go on from ${last}`,
      { context: { field: 'after', least: first - 1, most: last } },
    );
  }

  async *#follow(from: Promise<number>, ended: AbortSignal): AsyncGenerator<StoreEvent, void, undefined> {
    let last = await from;
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

function requireSequence(after: unknown): void {
  if (Number.isSafeInteger(after) && Number(after) >= 0) return;
  const code = typeof after === 'number' ? 'OUT_OF_RANGE' : 'INVALID_ARGUMENT';
  throw new VbsError(code, 'after must be the sequence of an event, a whole number', { context: { field: 'after' } });
}
