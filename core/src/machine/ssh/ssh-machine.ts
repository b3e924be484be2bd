import { join } from 'node:path';
import type { SshMachineConfiguration } from '../../config/configuration.js';
import type { Call, Logger } from '../../contract/call.js';
import type { Secret } from '../../contract/secret.js';
import { VbsError } from '../../errors.js';
import { commandError } from '../command-errors.js';
import type { Look, LookOptions } from '../look.js';
import type { Argument, LongRunning, Machine, RunOptions, RunResult, StartOptions, WriteOptions } from '../machine.js';
import { redactorOf } from '../redact.js';
import { requireArguments } from '../require-arguments.js';
import { Connection } from './connection.js';
import { orCancelled } from './execute.js';
import { saidError } from './remote-errors.js';
import { RemoteFiles } from './remote-files.js';
import { RemoteLongRunning } from './remote-long-running.js';
import { lookThere } from './remote-look.js';
import { RemoteShell } from './remote-shell.js';
import type { Liveness } from './ssh-arguments.js';

/** What a machine over SSH needs. */
export interface SshMachineOptions {
  readonly configuration: SshMachineConfiguration;
  /** The state directory of this machine: the sockets of kept connections lie in its folder `ssh`. */
  readonly stateDirectory: string;
  readonly log: Logger;
  /** Between SIGTERM and SIGKILL of a command that is ended, in milliseconds; 2,000 unless told. */
  readonly graceMs?: number;
  readonly liveness?: Liveness;
  readonly idleMs?: number;
}

/** Another machine, which is connected to at the first call. */
export interface SshMachine extends Machine {
  /** Ends the kept connection, and with it what runs by it without a guard; the next call connects again. */
  close(): Promise<void>;
}

/** A machine over the system's OpenSSH: nothing of VBS is installed there. */
export function createSshMachine(options: SshMachineOptions): SshMachine {
  return new OpenSshMachine(options);
}

const usualLimitMs = 30_000;
const usualGraceMs = 2_000;
const usualIdleMs = 60_000;

/** What Linux takes as one argument (MAX_ARG_STRLEN), with its NUL, and about what it takes in all (execve(2)). */
const longestArgument = 131_072;
const longestArguments = 2_000_000;

class OpenSshMachine implements SshMachine {
  readonly name: string;
  readonly #connection: Connection;
  readonly #shell: RemoteShell;
  readonly #files: RemoteFiles;
  readonly #longRunning: RemoteLongRunning;

  constructor({ configuration, stateDirectory, log, graceMs = usualGraceMs, ...more }: SshMachineOptions) {
    // First its sessions, and then the connection.
    const idleMs = (more.idleMs ?? usualIdleMs) / 2;
    this.name = `ssh: ${configuration.host}`;
    this.#connection = new Connection({ configuration, folder: join(stateDirectory, 'ssh'), log, ...more, idleMs });
    this.#shell = new RemoteShell({ connection: this.#connection, stateDirectory: configuration.stateDirectory, graceMs, idleMs, log });
    this.#files = new RemoteFiles(
      configuration.host,
      (call, command, options) => this.run(call, command, options),
      (call, command, options) => this.#runBy('v_look', call, command, options),
      (call, command, options) => this.#runBy('v_wait', call, command, options),
      (call) => this.stateDirectory(call),
    );
    this.#longRunning = new RemoteLongRunning(this.#shell, log);
  }

  run(call: Call, command: readonly [string, ...Argument[]], options: RunOptions = {}): Promise<RunResult> {
    return this.#runBy('v_run', call, command, options);
  }

  async #runBy(verb: `v_${string}`, call: Call, command: readonly [string, ...Argument[]], options: RunOptions = {}): Promise<RunResult> {
    requireArguments(command);
    requireShort(command);
    const redactor = redactorOf(command, options.input);
    const { executed, act } = await this.#shell.run({
      call,
      verb,
      words: command,
      redactor,
      limitMs: options.timeLimitMs ?? usualLimitMs,
      guard: options.guard,
      input: options.input,
      maxOutputBytes: options.maxOutputBytes,
      onLine: options.onLine,
    });
    const [kind, code] = executed.end.words;
    if (kind !== 'exit') throw saidError(executed, act);
    const exitCode = Number(code);
    const stdout = (executed.output[0] ?? Buffer.alloc(0)).toString('utf8');
    const stderr = executed.errors.toString('utf8');
    if ((options.okExitCodes ?? [0]).includes(exitCode)) return { exitCode, stdout, stderr };
    throw commandError('INTERNAL', `failed with exit code ${exitCode}`, redactor, { exitCode, stderr }, { host: act.host });
  }

  start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning> {
    return this.#longRunning.start(call, name, command, options);
  }

  find(call: Call, namePrefix: string): Promise<readonly LongRunning[]> {
    return this.#longRunning.find(call, namePrefix);
  }

  stop(call: Call, name: string, options: { readonly guard: string; readonly graceMs?: number }): Promise<void> {
    return this.#longRunning.stop(call, name, options);
  }

  readFile(call: Call, path: string, options: { readonly maxBytes?: number } = {}): Promise<string> {
    return this.#files.read(call, path, options.maxBytes);
  }

  writeFile(call: Call, path: string, text: string | Secret, options: WriteOptions): Promise<void> {
    return this.#files.write(call, path, text, options);
  }

  listDirectory(call: Call, path: string): Promise<readonly string[]> {
    return this.#files.list(call, path);
  }

  look(call: Call, patterns: readonly string[], options?: LookOptions): Promise<Look> {
    return lookThere((given, words, more) => this.#runBy('v_look', given, words, more), this.#connection.host, call, patterns, options);
  }

  waitForPath(call: Call, path: string, until: 'present' | 'absent', options: { readonly timeLimitMs?: number } = {}): Promise<void> {
    return this.#files.wait(call, path, until, options.timeLimitMs ?? usualLimitMs);
  }

  async settle(call: Call, resource: string): Promise<void> {
    const { executed, act } = await this.#shell.run({
      call,
      verb: 'v_settle',
      words: [],
      redactor: redactorOf(['settle']),
      guard: resource,
      limitMs: usualLimitMs,
    });
    const [kind, ...pids] = executed.end.words;
    if (kind === 'done') return;
    if (kind !== 'busy') throw saidError(executed, act);
    const message = `A command that an earlier process started for ${resource} still runs on ${act.host}, or left a process behind that holds its guard.`;
    throw new VbsError('DEADLINE_EXCEEDED', `${message} Look at the processes in context.pids and end them.`, {
      resource,
      context: { host: act.host, pids: pids.map(Number) },
    });
  }

  async stateDirectory(call: Call): Promise<string> {
    return this.#shell.stateDirectory(await orCancelled(call.signal, this.#connection.open()));
  }

  async bootId(call: Call): Promise<string> {
    return (await this.readFile(call, '/proc/sys/kernel/random/boot_id')).trim();
  }

  close(): Promise<void> {
    this.#shell.close();
    return this.#connection.close();
  }
}

/** @throws OUT_OF_RANGE: the arguments are longer than Linux takes. */
function requireShort(command: readonly [string, ...Argument[]]): void {
  const lengths = command.map((word) => Buffer.byteLength(typeof word === 'string' ? word : word.reveal()) + 1);
  if (Math.max(...lengths) <= longestArgument && lengths.reduce((sum, length) => sum + length, 0) <= longestArguments) return;
  throw new VbsError('OUT_OF_RANGE', `The arguments of ${command[0]} are longer than the system takes.`, { context: { tool: command[0] } });
}
