import type { Logger } from '../contract/call.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { pruneEnded } from '../metadata/prune.js';

/** How long an ended operation is told of, in milliseconds: 30 days. */
export const keptMs = 30 * 24 * 60 * 60 * 1000;
const everyMs = 60 * 60 * 1000;

interface HousekeeperServices {
  readonly store: MetadataStore;
  readonly now: () => number;
  readonly log: Logger;
}

/** Keeps the metadata from growing without bound: once an hour it forgets what ended long ago. */
export class Housekeeper {
  readonly #services: HousekeeperServices;
  #timer: NodeJS.Timeout | undefined;
  #pruning: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(services: HousekeeperServices) {
    this.#services = services;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#pruning = this.#pruning.then(() => this.prune());
    }, everyMs).unref();
  }

  /** Forgets now. */
  async prune(): Promise<void> {
    const { store, now, log } = this.#services;
    const before = now() - keptMs;
    try {
      while (!this.#stopped && (await store.transaction(({ trx }) => pruneEnded(trx, before)))) log.debug({}, 'more to forget');
    } catch (error) {
      log.warn({ err: error }, 'what ended long ago could not be forgotten; it is tried again in an hour');
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#pruning;
  }
}
