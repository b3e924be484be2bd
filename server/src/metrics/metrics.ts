import type { Observer } from '@vbs/core';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { HttpMetrics } from './http-metrics.js';
import { StoreGauges } from './store-gauges.js';
import { createStoreObserver } from './store-metrics.js';

/** What a server tells at /metrics, in a registry of its own. */
export interface Metrics {
  readonly registry: Registry;
  /** For `openBlockStore`: without it operations, steps and calls of plugins are not counted. */
  readonly observer: Required<Observer>;
  readonly http: HttpMetrics;
  readonly gauges: StoreGauges;
}

/** Makes the metrics of one server; every name begins with `vbs_`. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'vbs_' });
  return {
    registry,
    observer: createStoreObserver(registry),
    http: new HttpMetrics(registry),
    gauges: new StoreGauges(registry),
  };
}
