import { setTimeout as pause } from 'node:timers/promises';
import type { Call, Logger } from '../contract/call.js';
import { toVbsError, VbsError } from '../errors.js';
import { currentEpoch, raiseEpoch } from '../metadata/database/store-identity.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { Instances } from './instances.js';

/** How long the last mark may take, in milliseconds. */
const lastMarkMs = 1_000;

/** A pool that has seen a higher epoch than the metadata. */
interface Mark {
  readonly pool: string;
  readonly poolEpoch: number;
  readonly storeEpoch: number;
}

interface PoolEpochServices {
  readonly store: MetadataStore;
  readonly instances: Instances;
  readonly lookCall: () => Call;
  readonly log: Logger;
  /** How often the marks follow the store's counter, in milliseconds. */
  readonly markMs: number;
}

/**
 * Keeps the highest epoch of this store in its pools (safety D2). A store that finds a higher one than its own was restored from an
 * older copy, or another one took its place: it then only reads until somebody accepts that.
 */
export class PoolEpochs {
  readonly #services: PoolEpochServices;
  #marked = -1;
  #ahead: Mark | null = null;
  #timer: NodeJS.Timeout | undefined;
  #marking: Promise<void> = Promise.resolve();

  constructor(services: PoolEpochServices) {
    this.#services = services;
  }

  /** Compares each pool's mark with the store, and lets the marks follow from now on. */
  async start(): Promise<void> {
    await this.#mark();
    this.#timer = setInterval(() => this.#markLater(), this.#services.markMs).unref();
  }

  /** @throws FAILED_PRECONDITION: a pool knows more than this store. */
  requireCurrent(): void {
    if (this.staleness === null) return;
    const { message, ...known } = this.staleness;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { reason: 'older-than-pool', ...known } });
  }

  /** Why this store only reads, and the pool that shows it; null when it does not. */
  get staleness(): (Mark & { readonly message: string }) | null {
    if (this.#ahead === null) return null;
    const { pool, poolEpoch, storeEpoch } = this.#ahead;
    const message = `this store only reads: the pool ${pool} has seen epoch ${poolEpoch}, and the metadata is at ${storeEpoch}. It was restored from an older copy, or another store works on the pool. Look at what reconcile tells, stop the other store, and reconcile with accept`;
    return { ...this.#ahead, message };
  }

  get isCurrent(): boolean {
    return this.#ahead === null;
  }

  /** Takes this store for the right one: its counter goes beyond every pool's mark. Answers whether it only read until now. */
  async accept(): Promise<boolean> {
    if (this.#ahead === null) return false;
    while (this.#ahead !== null) {
      const { poolEpoch } = this.#ahead;
      await this.#services.store.transaction(({ trx }) => raiseEpoch(trx, poolEpoch));
      this.#ahead = null;
      await this.#mark();
    }
    return true;
  }

  /** Marks a last time, for as long as a close may wait. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#markLater();
    const limit = new AbortController();
    await Promise.race([this.#marking, pause(lastMarkMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
  }

  #markLater(): void {
    this.#marking = this.#marking
      .then(() => this.#mark())
      .catch((error: unknown) =>
        this.#services.log.warn({ error: toVbsError(error).toJSON() }, 'the epoch could not be marked in every pool; it is tried again'),
      );
  }

  async #mark(): Promise<void> {
    const { store, instances, lookCall } = this.#services;
    if (this.#ahead !== null) return;
    const storeEpoch = await currentEpoch(store.db);
    if (storeEpoch === this.#marked) return;
    for (const { name, contract } of instances.backends()) {
      const { epoch } = await contract.markEpoch(lookCall(), { epoch: storeEpoch });
      // Another process of this store may have raised both counter and mark since the counter was read.
      if (epoch > storeEpoch && epoch > (await currentEpoch(store.db))) this.#ahead = { pool: name, poolEpoch: epoch, storeEpoch };
    }
    this.#marked = storeEpoch;
  }
}
