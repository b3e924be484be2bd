export { withContext } from './error-context.js';
export type { CallRecord, LayerOptions, RetryOptions } from './layer.js';
export type { Layering } from './layered.js';
export { layered } from './layered.js';
export { whenSettled } from './still-running.js';
export { longestLimitMs, usualGraceMs } from './time-limit.js';
