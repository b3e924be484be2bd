import type { Logger } from './contract/call.js';
import type { Machines } from './machine/machines.js';
import type { Clock } from './model/clock.js';
import type { Observer } from './observer.js';
import type { Placement } from './operations/placement.js';

/** The services an embedder may replace; nothing else of the core is replaceable. */
export interface Services {
  readonly clock: Clock;
  /** A random UUID; ids are made from its hash. */
  readonly newId: () => string;
  readonly logger: Logger;
  readonly machines: Machines;
  /** Says to which backend a new volume goes. */
  readonly placement: Placement;
  /** Is told how calls, steps and operations ended, for metrics. */
  readonly observer: Observer;
  /** Where this process's server answers, told to processes that find an instance owned by this one; null where none does. */
  readonly endpoint: string | null;
}
