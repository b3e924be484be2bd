import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { anySignal, type BlockStore, type Logger, type StoreEvent } from '@vbs/core';
import type { Limits } from '../limits.js';
import { tooMany } from '../problems/refusal.js';

interface EventStreamServices {
  readonly store: BlockStore;
  readonly limits: Limits;
  readonly log: Logger;
  readonly told: (open: number) => void;
}

/** The open streams of events. Each pulls its events as fast as its reader takes them, and holds no queue of its own. */
export class EventStreams {
  readonly #services: EventStreamServices;
  readonly #open = new Set<AbortController>();

  constructor(services: EventStreamServices) {
    this.#services = services;
  }

  /**
   * Begins to follow the events behind one, or from now on.
   * @throws OUT_OF_RANGE: what came after it is not all kept any more. UNAVAILABLE: too many streams are open.
   */
  async start(after: number | undefined): Promise<EventStream> {
    const { store, limits, log, told } = this.#services;
    if (this.#open.size >= limits.eventStreams) throw tooMany(`${limits.eventStreams} streams of events are open already; try again later`);
    const stop = new AbortController();
    this.#open.add(stop);
    told(this.#open.size);
    const release = (): void => {
      stop.abort();
      this.#open.delete(stop);
      told(this.#open.size);
    };
    const from = after === undefined ? {} : { after };
    try {
      const events = store.events({ ...from, signal: stop.signal });
      await this.#mayStart(from);
      return new EventStream(events, { stop, release, limits, log });
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Where a stream begins is looked at before its head is sent: an iteration that is ended at once has done just that. */
  async #mayStart(from: { readonly after?: number }): Promise<void> {
    const look = new AbortController();
    const started = this.#services.store
      .events({ ...from, signal: look.signal })
      [Symbol.asyncIterator]()
      .next();
    look.abort();
    await started;
  }

  endAll(): void {
    for (const stop of this.#open) stop.abort();
  }
}

interface StreamServices {
  readonly stop: AbortController;
  readonly release: () => void;
  readonly limits: Limits;
  readonly log: Logger;
}

/** One reader's stream of server-sent events (WHATWG HTML, 9.2). */
export class EventStream {
  readonly #events: AsyncIterable<StoreEvent>;
  readonly #services: StreamServices;

  constructor(events: AsyncIterable<StoreEvent>, services: StreamServices) {
    this.#events = events;
    this.#services = services;
  }

  /** Writes until the reader goes, takes nothing for too long, or the server closes. */
  async writeTo(response: ServerResponse): Promise<void> {
    const { stop, release, limits, log } = this.#services;
    const end = (): void => stop.abort();
    response.once('close', end);
    if (response.destroyed) end();
    const heartbeat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(': still here\n\n');
    }, limits.heartbeatMs);
    try {
      response.write('retry: 2000\n\n');
      for await (const event of this.#events) if (!(await this.#write(response, event))) break;
      response.end();
    } catch (error) {
      log.error({ err: error }, 'a stream of events broke off');
      response.destroy();
    } finally {
      clearInterval(heartbeat);
      response.off('close', end);
      release();
    }
  }

  /** Whether the reader took it, or has room for it, in time. */
  async #write(response: ServerResponse, event: StoreEvent): Promise<boolean> {
    const { stop, limits, log } = this.#services;
    if (response.write(`id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)) return true;
    const signal = anySignal(stop.signal, AbortSignal.timeout(limits.slowReaderMs));
    try {
      await once(response, 'drain', { signal });
      return true;
    } catch (error) {
      if (!signal.aborted) throw error;
      if (!stop.signal.aborted) log.info({ sequence: event.sequence }, 'a reader of events took nothing for too long; its stream ended');
      response.destroy();
      return false;
    }
  }
}
