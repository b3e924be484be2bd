import {
  type Call,
  type CommandRunner,
  type CommandValues,
  isVbsError,
  type Machine,
  type RunOptions,
  type RunResult,
  VbsError,
} from '@vbs/core';
import type { commands } from './commands.js';
import { mapIscsiError } from './map-error.js';
import type { IscsiSettings } from './settings.js';

export type Commands = typeof commands;

/** The tools of one instance: its commands with their errors mapped, and the files of its machine. */
export class Tools {
  readonly #changed = new WeakSet<Call>();

  constructor(
    readonly machine: Machine,
    readonly settings: IscsiSettings,
    private readonly runner: CommandRunner<Commands>,
  ) {}

  async run<K extends keyof Commands>(
    call: Call,
    name: K,
    values: CommandValues<Commands[K]>,
    options: RunOptions = {},
  ): Promise<RunResult> {
    try {
      const result = await this.runner.run(call, name, values, options);
      if (options.guard !== undefined) this.#changed.add(call);
      return result;
    } catch (error) {
      throw mapIscsiError(error);
    }
  }

  /** Whether a command of this call has changed something. */
  hasChanged(call: Call): boolean {
    return this.#changed.has(call);
  }

  /** A file that may be root's alone: where this user may not read it, by a command that may have `sudo` in front. */
  async readFile(call: Call, path: string): Promise<string> {
    try {
      return await this.machine.readFile(call, path);
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'PERMISSION_DENIED') throw error;
      return await this.#cat(call, path);
    }
  }

  async #cat(call: Call, path: string): Promise<string> {
    try {
      return (await this.run(call, 'readFile', { path }, { timeLimitMs: 30_000 })).stdout;
    } catch (error) {
      if (!isVbsError(error) || !/No such file|Not a directory/.test(String(error.context.stderr))) throw error;
      throw new VbsError('NOT_FOUND', `Cannot read ${path}: it does not exist.`, { context: { path }, cause: error });
    }
  }
}
