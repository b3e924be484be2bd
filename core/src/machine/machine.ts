import type { Call } from '../contract/call.js';
import type { Secret } from '../contract/secret.js';
import type { Look, LookOptions } from './look.js';

/** One word of a command. A Secret is revealed to the process alone, and is `[redacted]` in logs and errors. */
export type Argument = string | Secret;

export interface RunOptions {
  /** In milliseconds; 30,000 unless told. */
  readonly timeLimitMs?: number;
  /**
   * The id of the resource that the command changes. The command then runs under the machine's guard for it (safety B1)
   * with the call's epoch; a command without it must change nothing.
   */
  readonly guard?: string;
  /** Text for the command's standard input; closed at once without it. */
  readonly input?: string | Secret;
  /** Exit codes that are no failure; only 0 unless told. */
  readonly okExitCodes?: readonly number[];
  /** The most that standard output and standard error may hold, in bytes each; 16 MiB unless told. */
  readonly maxOutputBytes?: number;
  /** Each line of standard output as it comes, for tools that report progress. */
  readonly onLine?: (line: string) => void;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A named command that outlives this process. */
export interface LongRunning {
  readonly name: string;
  readonly pid: number;
}

export interface StartOptions {
  readonly guard: string;
  /** The command is ready when its output has a line that this matches; it is ended again, and the call fails, when none came in time. */
  readonly readyLine: RegExp;
  /** In milliseconds; 10,000 unless told. */
  readonly timeLimitMs?: number;
}

export interface WriteOptions {
  readonly guard: string;
  readonly mode?: number;
  /**
   * Only if the file still holds this text, as `readFile` answered it; null: only if there is no such file. For files that several
   * writers share: no `writeFile` of another process of VBS on that machine comes in between, if it uses the same state directory and
   * the same path. What is no UTF-8 is never what `readFile` answered. At most 1 MiB, and so the text then.
   */
  readonly ifStill?: string | null;
}

/**
 * Where a plugin's tools run. Commands are argument lists, never a shell. Every command runs in a process group of its own, with
 * LC_ALL=C, a time limit and the call's signal; at most 8 run at once.
 *
 * A command fails with the code that tells most: NOT_FOUND and UNAVAILABLE are left to plugins; here PERMISSION_DENIED (EACCES),
 * FAILED_PRECONDITION (the tool is not installed; `context.tool`), ABORTED (the guard saw a higher epoch; nothing was run),
 * DEADLINE_EXCEEDED (ended at its limit) and INTERNAL (an exit code that is not in `okExitCodes`: `context` has `command`,
 * `exitCode`, `signal`, `stderr`, redacted), which a plugin maps.
 */
export interface Machine {
  readonly name: string;
  /** Runs a command to its end. */
  run(call: Call, command: readonly [string, ...Argument[]], options?: RunOptions): Promise<RunResult>;
  /** Starts a named long-running command that outlives this process; answers the one that runs already under the name. */
  start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning>;
  /** The long-running commands whose name begins so, of this process or of one before it. */
  find(call: Call, namePrefix: string): Promise<readonly LongRunning[]>;
  /** Ends a named long-running command with its group: SIGTERM, then SIGKILL. The absent is success. */
  stop(call: Call, name: string, options: { readonly guard: string; readonly graceMs?: number }): Promise<void>;
  /** A small text file (at most 1 MiB unless told). @throws NOT_FOUND, PERMISSION_DENIED, OUT_OF_RANGE. */
  readFile(call: Call, path: string, options?: { readonly maxBytes?: number }): Promise<string>;
  /**
   * Writes a small file whole: a temporary beside it, fsync, rename. Mode 0600 unless told.
   * @throws ABORTED: `ifStill` was given, and the file holds another text by now, or others wrote it all the time (`context.path`);
   * nothing was written. OUT_OF_RANGE: `ifStill` was given, and is larger than it may be, or the text is (`context.field`).
   */
  writeFile(call: Call, path: string, text: string | Secret, options: WriteOptions): Promise<void>;
  /** The names in a folder, sorted. @throws NOT_FOUND, PERMISSION_DENIED. */
  listDirectory(call: Call, path: string): Promise<readonly string[]>;
  /**
   * Looks at many files and folders at once, though not at one instant: in one round trip to another machine, without a tool on this one.
   * A pattern is an absolute path in which each `*` stands for any characters of one name (`/sys/block/sd*`), a leading dot excepted; at
   * most 256 patterns. Links are followed. One that ends in a slash asks for names alone, which is cheap also where there are thousands: what
   * it matches is not read. What is not there, or goes meanwhile, is not in the answer; what may not be read,
   * listed or entered is an error for who asks the answer for it.
   * @throws INVALID_ARGUMENT: a pattern is relative, has a name that is empty or `.`, ends in `..`, or holds one of `?[]\` or a control character.
   * OUT_OF_RANGE: there are too many patterns, or they match more than 16,384 paths, or more than 16 MiB in all.
   */
  look(call: Call, patterns: readonly string[], options?: LookOptions): Promise<Look>;
  /** Ends when the path has appeared, or gone. @throws DEADLINE_EXCEEDED. */
  waitForPath(call: Call, path: string, until: 'present' | 'absent', options?: { readonly timeLimitMs?: number }): Promise<void>;
  /**
   * Takes the guard of a resource to the call's epoch, and ends when nothing that an earlier epoch left runs under it any more
   * (safety B1). @throws DEADLINE_EXCEEDED: something still runs (`context.pids`). ABORTED: the guard saw a higher epoch.
   */
  settle(call: Call, resource: string): Promise<void>;
  /** The machine's own folder for what VBS keeps there over a boot: guards, and a plugin's notes and sockets. It may not be made yet. */
  stateDirectory(call: Call): Promise<string>;
  /** Draws anew at each boot of the machine (safety F2). */
  bootId(call: Call): Promise<string>;
}

/** The machine of this process, for providers that use node:fs or node:net themselves. */
export interface LocalMachine extends Machine {
  /** Acts in this process under the guard of a resource. @throws ABORTED: the guard saw a higher epoch; the act was not begun. */
  guarded<T>(call: Call, resource: string, act: () => Promise<T>): Promise<T>;
}
