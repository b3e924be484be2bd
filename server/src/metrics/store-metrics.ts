import type { Observer } from '@vbs/core';
import { Counter, Histogram, type Registry } from 'prom-client';

const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Counts what the core tells; instances, methods, kinds and steps are all of the configuration and the code. */
export function createStoreObserver(register: Registry): Required<Observer> {
  const registers = [register];
  const operations = new Counter({
    name: 'vbs_operations_total',
    help: 'Operations that ended (succeeded, failed), and tries of them that did not (stuck), by kind.',
    labelNames: ['kind', 'result'],
    registers,
  });
  const operationDurations = new Histogram({
    name: 'vbs_operation_duration_seconds',
    help: 'From the request to the end of an operation, in seconds.',
    labelNames: ['kind', 'result'],
    buckets: seconds,
    registers,
  });
  const steps = new Histogram({
    name: 'vbs_step_duration_seconds',
    help: 'An act of a step of an operation, in seconds.',
    labelNames: ['kind', 'step', 'act', 'outcome'],
    buckets: seconds,
    registers,
  });
  const calls = new Counter({
    name: 'vbs_plugin_calls_total',
    help: 'Attempts of calls of plugins, by instance, method and error code (OK: it succeeded).',
    labelNames: ['instance', 'method', 'code'],
    registers,
  });
  return {
    onCall: ({ instance, method, code }) => calls.inc({ instance, method, code: code ?? 'OK' }),
    onStep: ({ kind, step, act, outcome, durationMs }) => steps.observe({ kind, step, act, outcome }, durationMs / 1_000),
    onOperation({ kind, state, durationMs }) {
      operations.inc({ kind, result: state });
      operationDurations.observe({ kind, result: state }, durationMs / 1_000);
    },
  };
}
