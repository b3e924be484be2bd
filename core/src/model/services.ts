import type { Logger } from '../contract/call.js';
import type { Machines } from '../machine/machines.js';
import type { Placement } from '../operations/placement.js';

/** Wall-clock time, for what people read; leases go by the database's clock. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

/** The services an embedder may replace; nothing else of the core is replaceable. */
export interface Services {
  readonly clock: Clock;
  /** A random UUID; ids are made from its hash. */
  readonly newId: () => string;
  readonly logger: Logger;
  readonly machines: Machines;
  /** Says to which backend a new volume goes. */
  readonly placement: Placement;
}
