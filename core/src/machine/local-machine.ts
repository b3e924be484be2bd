import { join } from 'node:path';
import type { Call, Logger } from '../contract/call.js';
import type { Secret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import { writeUnderLock } from './file-swap.js';
import { Guards } from './guard.js';
import { lookHere } from './local-look.js';
import { LongRunningCommands } from './long-running.js';
import type { Look, LookOptions } from './look.js';
import type { Argument, LocalMachine, LongRunning, RunOptions, RunResult, StartOptions, WriteOptions } from './machine.js';
import { readBootId } from './process-identity.js';
import { requireArguments } from './require-arguments.js';
import { runProcess } from './run-process.js';
import { Slots } from './slots.js';
import { isPath, listNames, nearestFolder, readSmallFile, requireAbsolute } from './small-files.js';
import { waitUntil } from './wait-until.js';

/** What a machine of this process needs. */
export interface LocalMachineOptions {
  readonly name: string;
  /** Where guards and records of long-running commands lie. */
  readonly stateDirectory: string;
  readonly log: Logger;
  /** Between SIGTERM and SIGKILL of a command that is ended, in milliseconds; 2,000 unless told. */
  readonly graceMs?: number;
}

/** The machine of this process, over execa. Nothing is done to it before its first call. */
export function createLocalMachine(options: LocalMachineOptions): LocalMachine {
  return new ExecaLocalMachine(options);
}

const defaultLimitMs = 30_000;
const defaultGraceMs = 2_000;

class ExecaLocalMachine implements LocalMachine {
  readonly name: string;
  readonly #graceMs: number;
  readonly #stateDirectory: string;
  readonly #slots = new Slots();
  readonly #guards: Guards;
  readonly #fileLocks: string;
  readonly #longRunning: LongRunningCommands;

  constructor({ name, stateDirectory, log, graceMs }: LocalMachineOptions) {
    this.name = name;
    this.#stateDirectory = stateDirectory;
    this.#graceMs = graceMs ?? defaultGraceMs;
    this.#guards = new Guards(stateDirectory);
    this.#fileLocks = join(stateDirectory, 'files');
    this.#longRunning = new LongRunningCommands(stateDirectory, this.#guards, log);
  }

  async run(call: Call, command: readonly [string, ...Argument[]], options: RunOptions = {}): Promise<RunResult> {
    requireArguments(command);
    const limitMs = options.timeLimitMs ?? defaultLimitMs;
    const request = { call, command, options, limitMs, graceMs: this.#graceMs };
    if (options.guard === undefined) return await this.#slots.run(call.signal, () => runProcess(request));
    return await this.#guards.hold(call, options.guard, limitMs, async (hold) => {
      const marks = await hold.announce();
      return await this.#slots.run(call.signal, () => runProcess({ ...request, guard: { hold, marks } }));
    });
  }

  async start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning> {
    requireArguments(command);
    return await this.#longRunning.start(call, name, command, options);
  }

  find(_call: Call, namePrefix: string): Promise<readonly LongRunning[]> {
    return this.#longRunning.find(namePrefix);
  }

  async stop(call: Call, name: string, options: { readonly guard: string; readonly graceMs?: number }): Promise<void> {
    await this.#longRunning.stop(call, name, options);
  }

  readFile(_call: Call, path: string, options: { readonly maxBytes?: number } = {}): Promise<string> {
    return readSmallFile(path, options.maxBytes);
  }

  async writeFile(call: Call, path: string, text: string | Secret, options: WriteOptions): Promise<void> {
    await this.guarded(call, options.guard, () => writeUnderLock(call, this.#fileLocks, path, text, options));
  }

  listDirectory(_call: Call, path: string): Promise<readonly string[]> {
    return listNames(path);
  }

  look(_call: Call, patterns: readonly string[], options?: LookOptions): Promise<Look> {
    return lookHere(patterns, options);
  }

  async waitForPath(call: Call, path: string, until: 'present' | 'absent', options: { readonly timeLimitMs?: number } = {}): Promise<void> {
    requireAbsolute(path);
    const limitMs = options.timeLimitMs ?? defaultLimitMs;
    const look = async (): Promise<true | undefined> => ((await isPath(path, until)) ? true : undefined);
    const found = await waitUntil(look, { signal: call.signal, limitMs, watch: await nearestFolder(path) });
    if (found !== undefined) return;
    const why = call.signal.aborted ? 'before the call was cancelled' : `within ${limitMs} ms`;
    throw new VbsError('DEADLINE_EXCEEDED', `${path} was not ${until} ${why}.`, { context: { path, until, limitMs } });
  }

  async stateDirectory(): Promise<string> {
    return this.#stateDirectory;
  }

  async bootId(): Promise<string> {
    return readBootId();
  }

  async guarded<T>(call: Call, resource: string, act: () => Promise<T>): Promise<T> {
    return await this.#guards.hold(call, resource, defaultLimitMs, act);
  }

  async settle(call: Call, resource: string): Promise<void> {
    await this.#guards.settle(call, resource, { leftovers: 'wait' });
  }
}
