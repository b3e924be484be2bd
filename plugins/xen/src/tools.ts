import {
  type Call,
  type CommandRunner,
  type CommandValues,
  isVbsError,
  type Machine,
  type RunOptions,
  type RunResult,
  toVbsError,
  VbsError,
} from '@vbs/core';
import type { commands } from './commands.js';
import type { XenConfig } from './config.js';
import { mapXenError } from './map-error.js';

export type Commands = typeof commands;

/** The tools of one instance: its commands with their errors mapped, and the files of its machine. */
export class Tools {
  readonly #changed = new WeakSet<Call>();

  constructor(
    readonly machine: Machine,
    readonly settings: Required<XenConfig>,
    private readonly runner: CommandRunner<Commands>,
  ) {}

  /** A command that changes nothing. */
  async read(call: Call, name: 'listVms' | 'readStore'): Promise<string> {
    return (await this.#run(call, name, {}, { timeLimitMs: 15_000 })).stdout;
  }

  /** A command that changes something, guarded; answers how it failed. @throws what says that it was not begun. */
  async change<K extends 'attach' | 'detach'>(
    call: Call,
    name: K,
    values: CommandValues<Commands[K]>,
    options: RunOptions & { readonly guard: string },
  ): Promise<VbsError | undefined> {
    try {
      await this.#run(call, name, values, options);
    } catch (error) {
      const failure = toVbsError(error);
      if (['ABORTED', 'PERMISSION_DENIED'].includes(failure.code) || failure.context.tool !== undefined) throw failure;
      this.#changed.add(call);
      return failure;
    }
    this.#changed.add(call);
    return undefined;
  }

  /**
   * Acts, and lets no error say that nothing changed where only a later look of the same call was refused (safety A1): a call that was
   * cancelled between two commands, say.
   */
  async honestly<T>(call: Call, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!isVbsError(error) || !this.#changed.has(call) || !['ABORTED', 'PERMISSION_DENIED'].includes(error.code)) throw error;
      const message = `A command has been run, and what came of it was not seen: ${error.message}`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { context: error.context, cause: error });
    }
  }

  async #run<K extends keyof Commands>(call: Call, name: K, values: CommandValues<Commands[K]>, options: RunOptions): Promise<RunResult> {
    try {
      return await this.runner.run(call, name, values, options);
    } catch (error) {
      throw mapXenError(error);
    }
  }
}
