import type { BlockStore, Logger } from '@vbs/core';
import { Gauge, type Registry } from 'prom-client';
import { shared, within } from '../within.js';

/** Gauges that are read when somebody asks; what does not answer in time has no value then, rather than an old one. */
export class StoreGauges {
  readonly #pools: Readonly<Record<'totalBytes' | 'availableBytes' | 'provisionedBytes', Gauge<'backend'>>>;
  readonly #exports: Gauge<'exporter'>;
  readonly #operations: Gauge<'kind' | 'state'>;

  constructor(register: Registry) {
    const registers = [register];
    const pool = (name: string, help: string) => new Gauge({ name, help, labelNames: ['backend'] as const, registers });
    this.#pools = {
      totalBytes: pool('vbs_pool_total_bytes', 'What a pool can hold, in bytes.'),
      availableBytes: pool('vbs_pool_available_bytes', 'What is free in a pool, in bytes.'),
      provisionedBytes: pool('vbs_pool_provisioned_bytes', 'The sizes of the volumes of a pool together, in bytes.'),
    };
    this.#exports = new Gauge({ name: 'vbs_open_exports', help: 'Open exports, by exporter.', labelNames: ['exporter'], registers });
    this.#operations = new Gauge({
      name: 'vbs_open_operations',
      help: 'Operations that have not ended, by kind and state.',
      labelNames: ['kind', 'state'],
      registers,
    });
  }

  /** Answers how the gauges are brought up to date for one store, which takes no longer than the limit. */
  reader(store: BlockStore, { limitMs, log }: { readonly limitMs: number; readonly log: Logger }): () => Promise<void> {
    const pools = shared(() => store.describePools());
    const activity = shared(() => store.describeActivity());
    const read = async <T>(what: string, ask: () => Promise<T>, tell: (answer: T) => void): Promise<void> => {
      try {
        const answer = await within(ask(), limitMs);
        if (answer === undefined) log.warn({ limitMs }, `the metrics leave out ${what}: no answer within the limit`);
        else tell(answer);
      } catch (error) {
        log.warn({ err: error }, `the metrics leave out ${what}`);
      }
    };
    return async () => {
      this.#reset();
      await Promise.all([
        read('the pools', pools, (answer) => this.#tellPools(answer)),
        read('exports and operations', activity, (answer) => this.#tellActivity(answer)),
      ]);
    };
  }

  #reset(): void {
    for (const gauge of [...Object.values(this.#pools), this.#exports, this.#operations]) gauge.reset();
  }

  #tellPools(pools: Awaited<ReturnType<BlockStore['describePools']>>): void {
    for (const { backend, capacity } of pools) {
      if (capacity === null) continue;
      this.#pools.totalBytes.set({ backend }, capacity.totalBytes);
      this.#pools.availableBytes.set({ backend }, capacity.availableBytes);
      this.#pools.provisionedBytes.set({ backend }, capacity.provisionedBytes);
    }
  }

  #tellActivity({ openExports, openOperations }: Awaited<ReturnType<BlockStore['describeActivity']>>): void {
    for (const { exporter, count } of openExports) this.#exports.set({ exporter }, count);
    for (const { kind, state, count } of openOperations) this.#operations.set({ kind, state }, count);
  }
}
