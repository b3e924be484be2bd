import type { CommandRunner, CommandSet } from '../command/command-set.js';
import type { Call, Logger } from '../contract/call.js';
import type { LocalMachine, Machine } from '../machine/machine.js';

export type MachineKind = 'any' | 'local';

/** `process`: what it makes ends with this process. `daemon`: what it makes outlives this process. */
export type Lifetime = 'process' | 'daemon';

/** The store, as an instance needs to know it to tell its own from others' (safety D1). */
export interface StoreIdentity {
  /** Drawn once: 32 hex digits. A plugin marks its pool, and everything that it makes, with it. */
  readonly id: string;
  /** The store has used this instance's pool before: a pool without a mark is then UNAVAILABLE, and is never marked again. */
  readonly knowsPool: boolean;
}

/** What a configured instance is given: all it gets, and all it needs. */
export interface Instance<Config, M extends MachineKind = 'any', S extends CommandSet = Record<never, string>> {
  /** Its path of names in the configuration (`vs1/fast`): its identity in metadata, logs and errors. */
  readonly name: string;
  readonly config: Config;
  /** What relative paths of the configuration start from: the folder of its file. */
  readonly baseDirectory: string;
  /**
   * The store's folder for locks, guards and sockets, on this machine: for what a plugin of `machine: 'local'` keeps there between two
   * processes. What lies beside the tools is in `machine.stateDirectory`.
   */
  readonly stateDirectory: string;
  readonly machine: M extends 'local' ? LocalMachine : Machine;
  /** The provider's command patterns, as the configuration may have replaced them. */
  readonly commands: CommandRunner<S>;
  readonly store: StoreIdentity;
  readonly log: Logger;
}

/** What an opened instance may have besides its contract. */
export interface Lifecycle<C extends string> {
  /** The capabilities of this instance, where they are fewer than the provider's. */
  readonly capabilities?: ReadonlySet<C>;
  /** Looks whether tools, daemons and permissions are there: a sentence for each that is not. For doctor and readyz. */
  check?(call: Call): Promise<readonly string[]>;
  /** Ends what this process holds for it; called once, after the last call. */
  close?(): Promise<void>;
}
