import type { Call } from '../contract/call.js';
import type { Argument, RunOptions, RunResult } from '../machine/machine.js';

/** Command patterns by name: `{ attach: 'xl block-attach <vmId> phy:<vmmDev> <vmDev> <mode>' }`, declared `as const`. */
export type CommandSet = Readonly<Record<string, string>>;

type Placeholders<Pattern extends string> = Pattern extends `${string}<${infer Name}>${infer Rest}` ? Name | Placeholders<Rest> : never;

/** The values that a pattern takes; one that is missing or misspelt does not compile. */
export type CommandValues<Pattern extends string> = { readonly [K in Placeholders<Pattern>]: Argument | number };

/** Runs a plugin's commands on its machine. */
export interface CommandRunner<S extends CommandSet> {
  /**
   * Fills the pattern and runs it, as `Machine.run`. A value that is itself a list separated by commas is the plugin's to check.
   * @throws INVALID_ARGUMENT: a value could become an option or an argument of its own.
   */
  run<K extends keyof S & string>(call: Call, name: K, values: CommandValues<S[K]>, options?: RunOptions): Promise<RunResult>;
  /** The filled argument list, for `Machine.start`. */
  fill<K extends keyof S & string>(name: K, values: CommandValues<S[K]>): readonly [string, ...Argument[]];
}
