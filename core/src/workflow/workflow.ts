import type { SerializedError } from '../errors.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import type { Step } from './step.js';

/** An operation that ends: what its last transaction needs. */
export interface EndingOperation<P, O> {
  readonly id: string;
  readonly params: P;
  readonly output: Readonly<Partial<O>>;
}

/**
 * How an interrupted operation goes on (safety A4): always `forward`, or back until the named step's effect is there and
 * forward from then on.
 */
export type Recovery =
  | 'forward'
  | {
      readonly forwardOnce: string;
      /** An effect that comes only after the caller was told of a failure is taken back (safety C2). */
      readonly notAfterAnswer?: true;
    };

/** What kind of operation takes which steps, and what its end means for the metadata. `P` and `O` survive JSON. */
export interface Workflow<P = unknown, O extends object = object> {
  readonly kind: string;
  readonly recovery: Recovery;
  steps(params: P): readonly Step<P, O>[];
  /** The names of the instances that the steps call: a process that does not have them leaves the operation to one that has. */
  instances(params: P): readonly string[];
  /** The resources whose guards the steps' commands take, by instance: recovery waits for what a dead process left there. */
  guards(params: P): readonly GuardedResource[];
  /** In the transaction that ends it well. Answers the operation's result. */
  succeed(tx: StoreTransaction, operation: EndingOperation<P, O>): Promise<unknown>;
  /** In the transaction that ends it after its roll-back: nothing of it is left outside. */
  fail(tx: StoreTransaction, operation: EndingOperation<P, O>, error: SerializedError): Promise<unknown>;
  /** In the transaction that gives it up where it stands: something of it may be left outside. */
  abandon(tx: StoreTransaction, operation: EndingOperation<P, O>, reason: string): Promise<unknown>;
}

export interface GuardedResource {
  /** The instance whose commands take the guard, or the VMM node. */
  readonly instance: string;
  readonly resourceId: string;
}
