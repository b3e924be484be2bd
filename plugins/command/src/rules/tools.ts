import {
  type Argument,
  type Call,
  type CommandRunner,
  type CommandSet,
  createCommandRunner,
  errorTable,
  type Machine,
  type RunOptions,
  type RunResult,
  toVbsError,
  VbsError,
} from '@vbs/core';
import { type ErrorRule, mapError } from './errors.js';
import type { Row } from './expressions.js';
import { type OutputRule, readOutput } from './output.js';

export type Values = Readonly<Record<string, Argument | number>>;

const lookLimitMs = 15_000;

/** The commands of one instance on its machine, with their outputs read and their errors mapped by the configuration's rules. */
export class Tools {
  readonly #runner: CommandRunner<CommandSet>;
  readonly #changed = new WeakSet<Call>();

  constructor(
    readonly machine: Machine,
    patterns: CommandSet,
    private readonly errors: readonly ErrorRule[],
  ) {
    this.#runner = createCommandRunner(patterns, machine);
  }

  /** A command that changes nothing, and what its output tells. */
  async read(call: Call, name: string, rule: OutputRule, values: Values = {}): Promise<readonly Row[]> {
    const options = { timeLimitMs: lookLimitMs, ...(rule.okExits === undefined ? {} : { okExitCodes: rule.okExits }) };
    const { stdout } = await this.#run(call, name, values, options);
    return readOutput(name, rule, stdout);
  }

  /** A command that changes something. @throws as the rules map it. */
  async change(call: Call, name: string, values: Values, options: RunOptions & { readonly guard: string }): Promise<void> {
    try {
      await this.#run(call, name, values, options);
      this.#changed.add(call);
    } catch (error) {
      if (wasBegun(toVbsError(error))) this.#changed.add(call);
      throw error;
    }
  }

  /** Whether a command of this call may have changed something. */
  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** Looks after something was changed: that it could not look is no word about what was done (safety A1). */
  async after<T>(call: Call, resource: string, look: () => Promise<T>): Promise<T> {
    try {
      return await look();
    } catch (error) {
      throw this.honest(call, resource, error);
    }
  }

  /** An error that says that nothing changed, after something has been changed by this call, says it of the last command alone. */
  honest(call: Call, resource: string, error: unknown): VbsError {
    const failure = toVbsError(error);
    if (!this.hasChanged(call) || errorTable[failure.code].outcome === 'unknown') return failure;
    const message = `Some of it is done, and then: ${failure.message}`;
    return new VbsError('DEADLINE_EXCEEDED', message, { resource, context: failure.context, cause: failure });
  }

  async #run(call: Call, name: string, values: Values, options: RunOptions): Promise<RunResult> {
    try {
      return await this.#runner.run(call, name, values, options);
    } catch (error) {
      throw mapError(this.errors, error);
    }
  }
}

/** Not where a guard, a value, or a tool that is not there or may not be run kept it back. */
export function wasBegun({ code, context }: VbsError): boolean {
  return code !== 'ABORTED' && context.tool === undefined && (context.exitCode !== undefined || errorTable[code].outcome === 'unknown');
}
