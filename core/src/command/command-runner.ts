import type { Call } from '../contract/call.js';
import { toVbsError, VbsError } from '../errors.js';
import type { Argument, Machine, RunOptions, RunResult } from '../machine/machine.js';
import type { CommandRunner, CommandSet, CommandValues } from './command-set.js';
import { fillPattern } from './fill.js';
import { type CommandPattern, parsePattern } from './pattern.js';

/** Runs a plugin's commands on its machine. @throws PLUGIN_INVALID: a pattern is wrong. */
export function createCommandRunner<S extends CommandSet>(commands: S, machine: Machine): CommandRunner<S> {
  return new PatternRunner(commands, machine);
}

class PatternRunner<S extends CommandSet> implements CommandRunner<S> {
  readonly #patterns: ReadonlyMap<string, CommandPattern>;

  constructor(
    commands: S,
    private readonly machine: Machine,
  ) {
    this.#patterns = new Map(Object.entries(commands).map(([name, pattern]) => [name, parseOwn(name, pattern)]));
  }

  async run<K extends keyof S & string>(call: Call, name: K, values: CommandValues<S[K]>, options?: RunOptions): Promise<RunResult> {
    return await this.machine.run(call, this.fill(name, values), options);
  }

  fill<K extends keyof S & string>(name: K, values: CommandValues<S[K]>): readonly [string, ...Argument[]] {
    const pattern = this.#patterns.get(name);
    if (pattern === undefined) throw new TypeError(`There is no command ${name}.`);
    return fillPattern(name, pattern, values);
  }
}

function parseOwn(name: string, pattern: string): CommandPattern {
  try {
    return parsePattern(name, pattern);
  } catch (error) {
    throw new VbsError('PLUGIN_INVALID', toVbsError(error).message, { cause: error });
  }
}
