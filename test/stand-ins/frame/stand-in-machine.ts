import { join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Argument,
  type Call,
  createLocalMachine,
  isSecret,
  type LocalMachine,
  type LongRunning,
  Look,
  type LookOptions,
  type Machine,
  type RunOptions,
  type RunResult,
  type StartOptions,
  VbsError,
} from '@vbs/core';
import { FaultPlan } from './faults.js';
import type { Daemon, DaemonTool, ToolResult, Tools } from './tool.js';

export interface StandInOptions {
  readonly name?: string;
  /** Stands for `/`: `/sys/block` is `<root>/sys/block`, and a volume's bytes are at `<root>/dev/…`. */
  readonly root: string;
  /** Where guards lie, as on a real machine. */
  readonly stateDirectory: string;
  readonly tools: Tools;
  readonly daemons?: Readonly<Record<string, DaemonTool>>;
  /** How long each command takes, in milliseconds; nothing unless told. */
  readonly takesMs?: number;
  readonly faults?: FaultPlan;
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
/** As `Machine` says: commands that run at once, and a command's time limit. */
const slots = 8;
const usualLimitMs = 30_000;

/**
 * A machine whose tools are functions of this process and whose files lie under a folder. Guards are those of the real local machine;
 * what a tool answers with a non-zero exit code fails as it does there, and a tool that is not there is FAILED_PRECONDITION.
 */
export class StandInMachine implements Machine {
  readonly name: string;
  readonly faults: FaultPlan;
  readonly #options: StandInOptions;
  readonly #local: LocalMachine;
  readonly #running = new Map<string, { readonly pid: number; readonly daemon: Daemon }>();
  #nextPid = 1001;
  #free = slots;
  #mostAtOnce = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(options: StandInOptions) {
    this.name = options.name ?? 'stand-in';
    this.#options = options;
    this.faults = options.faults ?? new FaultPlan();
    this.#local = createLocalMachine({ name: this.name, stateDirectory: options.stateDirectory, log: silent });
  }

  /** The most commands that ran at once; long-running ones are not counted. */
  get mostAtOnce(): number {
    return this.#mostAtOnce;
  }

  /** Where a path of the machine lies here. */
  real(path: string): string {
    return join(this.#options.root, path);
  }

  async run(call: Call, command: readonly [string, ...Argument[]], options: RunOptions = {}): Promise<RunResult> {
    const { guard } = options;
    if (guard === undefined) return await this.#inSlot(() => this.#run(call, command, options));
    return await this.#local.guarded(call, guard, () => this.#inSlot(() => this.#run(call, command, options)));
  }

  async start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning> {
    return await this.#local.guarded(call, options.guard, async () => {
      const known = this.#running.get(name);
      if (known !== undefined) return { name, pid: known.pid };
      const [tool, ...args] = plain(command);
      const make = this.#options.daemons?.[tool];
      if (make === undefined) throw notInstalled(tool);
      const pid = this.#nextPid++;
      // Found again from then on, also where this process does not learn that it has come up.
      const act = async (): Promise<Daemon> => {
        const made = await started(command, async () => await make({ args, input: '', root: this.#options.root, pid }));
        this.#running.set(name, { pid, daemon: made });
        return made;
      };
      const daemon = await this.#withFault(call, command, options.timeLimitMs ?? 10_000, act);
      if (daemon.lines.some((line) => options.readyLine.test(line))) return { name, pid };
      await this.#end(name);
      throw new VbsError('INTERNAL', `${tool} ended before it was ready`, {
        context: { command: shown(command), stderr: daemon.lines.join('\n') },
      });
    });
  }

  async find(_call: Call, namePrefix: string): Promise<readonly LongRunning[]> {
    return [...this.#running].filter(([name]) => name.startsWith(namePrefix)).map(([name, { pid }]) => ({ name, pid }));
  }

  async stop(call: Call, name: string, options: { readonly guard: string }): Promise<void> {
    await this.#local.guarded(call, options.guard, () => this.#withFault(call, ['stop', name], usualLimitMs, () => this.#end(name)));
  }

  /** Ends long-running tools as their own death would, unknown to VBS. */
  async kill(namePrefix = ''): Promise<void> {
    for (const name of this.#running.keys()) if (name.startsWith(namePrefix)) await this.#end(name);
  }

  async readFile(call: Call, path: string, options?: { readonly maxBytes?: number }): Promise<string> {
    return await this.#own(path, () => this.#local.readFile(call, this.real(path), options));
  }

  async writeFile(call: Call, path: string, ...rest: Rest<Machine['writeFile']>): Promise<void> {
    const act = (): Promise<void> => this.#local.writeFile(call, this.real(path), ...rest);
    await this.#own(path, () => this.#withFault(call, ['write', path], usualLimitMs, act));
  }

  async listDirectory(call: Call, path: string): Promise<readonly string[]> {
    return await this.#own(path, () => this.#local.listDirectory(call, this.real(path)));
  }

  async look(call: Call, patterns: readonly string[], options?: LookOptions): Promise<Look> {
    const { root } = this.#options;
    try {
      const real = await this.#local.look(
        call,
        patterns.map((pattern) => `${root}${pattern}`),
        options,
      );
      return new Look([...real.entries()].map(([path, at]) => [path.slice(root.length), at instanceof VbsError ? this.#named(at) : at]));
    } catch (error) {
      throw error instanceof VbsError ? this.#named(error) : error;
    }
  }

  async waitForPath(call: Call, path: string, ...rest: Rest<Machine['waitForPath']>): Promise<void> {
    await this.#own(path, () => this.#local.waitForPath(call, this.real(path), ...rest));
  }

  async settle(call: Call, resource: string): Promise<void> {
    await this.#local.settle(call, resource);
  }

  async stateDirectory(): Promise<string> {
    return '/var/lib/vbs';
  }

  async bootId(): Promise<string> {
    return 'stand-in-boot';
  }

  async #run(call: Call, command: readonly [string, ...Argument[]], options: RunOptions): Promise<RunResult> {
    const [first, ...rest] = plain(command);
    // As sudo and env do: what follows is the tool.
    const words = first === 'env' ? rest.slice(rest.findIndex((word) => !word.includes('='))) : [first, ...rest];
    const [tool = '', ...args] = words;
    const act = this.#options.tools[tool];
    if (act === undefined) throw notInstalled(tool);
    const input = options.input === undefined ? '' : isSecret(options.input) ? options.input.reveal() : options.input;
    const limitMs = options.timeLimitMs ?? usualLimitMs;
    const result = await this.#withFault(call, command, limitMs, async () => await act({ args, input, root: this.#options.root }));
    return judged(command, result, options);
  }

  /** Acts, unless its turn has a fault. */
  async #withFault<T>(call: Call, command: readonly Argument[], limitMs: number, act: () => Promise<T>): Promise<T> {
    if (call.signal.aborted) throw ended(command);
    const fault = this.faults.next(shown(command).join(' '));
    if (this.#options.takesMs !== undefined) await pause(this.#options.takesMs);
    switch (fault) {
      case undefined:
        return await act();
      case 'fails':
        throw failed(command, { exitCode: 1, stderr: 'stand-in: a fault that was planned' });
      case 'fails after its effect':
        await act();
        throw failed(command, { exitCode: 1, stderr: 'stand-in: a fault that was planned' });
      case 'hangs after its effect':
        await act();
        throw ended(command, limitMs);
      case 'hangs':
        throw ended(command, limitMs);
      case 'acts late':
        // Its effect comes while the call is being given up: the guard is held until it has ended, as on a real machine.
        await pause(5);
        await act().catch(() => undefined);
        throw ended(command, limitMs);
    }
  }

  async #end(name: string): Promise<void> {
    const running = this.#running.get(name);
    this.#running.delete(name);
    await running?.daemon.stop();
  }

  async #inSlot<T>(act: () => Promise<T>): Promise<T> {
    while (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#free -= 1;
    this.#mostAtOnce = Math.max(this.#mostAtOnce, slots - this.#free);
    try {
      return await act();
    } finally {
      this.#free += 1;
      this.#waiting.shift()?.();
    }
  }

  /** Errors name the machine's path, not where it lies here. */
  async #own<T>(path: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof VbsError)) throw error;
      const message = error.message.replaceAll(this.real(path), path);
      throw new VbsError(error.code, message, { context: { ...error.context, path: relative(this.#options.root, this.real(path)) } });
    }
  }

  #named(error: VbsError): VbsError {
    return new VbsError(error.code, error.message.replaceAll(this.#options.root, ''), { context: error.context });
  }
}

type Rest<F> = F extends (call: Call, path: string, ...rest: infer R) => unknown ? R : never;

function plain(command: readonly [string, ...Argument[]]): [string, ...string[]] {
  const [tool, ...words] = command;
  return [tool, ...words.map((word) => (isSecret(word) ? word.reveal() : word))];
}

function shown(command: readonly Argument[]): string[] {
  return command.map(String);
}

function notInstalled(tool: string): VbsError {
  return new VbsError('FAILED_PRECONDITION', `${tool} is not installed.`, { context: { tool } });
}

function failed(command: readonly Argument[], { exitCode = 0, stderr = '' }: ToolResult): VbsError {
  return new VbsError('INTERNAL', `${String(command[0])} ended with exit code ${exitCode}: ${stderr.trim()}`, {
    context: { command: shown(command), exitCode, signal: null, stderr },
  });
}

/** A tool that ends at once throws how. */
async function started(command: readonly Argument[], make: () => Promise<Daemon>): Promise<Daemon> {
  try {
    return await make();
  } catch (thrown) {
    throw thrown instanceof Error ? thrown : failed(command, thrown as ToolResult);
  }
}

function ended(command: readonly Argument[], limitMs?: number): VbsError {
  const why = limitMs === undefined ? 'was cancelled' : `did not end within ${limitMs} ms`;
  return new VbsError('DEADLINE_EXCEEDED', `${String(command[0])} ${why}.`, { context: { command: shown(command) } });
}

function judged(command: readonly Argument[], result: ToolResult, options: RunOptions): RunResult {
  const { exitCode = 0, stdout = '', stderr = '' } = result;
  if (!(options.okExitCodes ?? [0]).includes(exitCode)) throw failed(command, result);
  for (const line of stdout.split('\n').slice(0, stdout.endsWith('\n') ? -1 : undefined)) options.onLine?.(line);
  return { exitCode, stdout, stderr };
}
