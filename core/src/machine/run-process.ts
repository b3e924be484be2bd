import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import type { Call } from '../contract/call.js';
import { isSecret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import { type CommandEnd, commandError, startError } from './command-errors.js';
import { endGroup } from './end-process.js';
import type { GuardHold } from './guard.js';
import type { Argument, RunOptions, RunResult } from './machine.js';
import { isGroupRunning } from './proc.js';
import { redactorOf } from './redact.js';
import type { Started } from './slots.js';
import { asDescriptor, toolEnvironment } from './tool-environment.js';
import { longestTimerMs, waitUntil } from './wait-until.js';

export interface ProcessRequest {
  readonly call: Call;
  readonly command: readonly [string, ...Argument[]];
  readonly options: RunOptions;
  readonly limitMs: number;
  /** Between SIGTERM and SIGKILL, in milliseconds. */
  readonly graceMs: number;
  /** The guard that the command runs under, and the environment that it gave for it. */
  readonly guard?: { readonly hold: GuardHold; readonly marks: Readonly<Record<string, string>> };
}

/** The last output of a command that has ended is read until so many turns of so many milliseconds brought nothing; a daemon may write on. */
const turnMs = 10;
const quietTurns = 20;
const mostTurns = 300;

const reveal = (text: Argument): string => (isSecret(text) ? text.reveal() : text);

/** Why a command was ended before its own end. */
interface Stop {
  readonly why: 'limit' | 'cancelled' | 'onLine';
  readonly cause?: unknown;
}

/** Runs a command to its end in a process group of its own; the commands of the group count as the command. */
export function runProcess(request: ProcessRequest): Started<RunResult> {
  const subprocess = startTool(request);
  const exited = new Promise<void>((resolve) => {
    if (subprocess.pid === undefined) resolve();
    else subprocess.once('exit', () => resolve());
  });
  return { result: follow(request, subprocess, exited), ended: exited };
}

type Subprocess = ReturnType<typeof startTool>;

function startTool({ command: [tool, ...words], options, guard, graceMs }: ProcessRequest) {
  const { input } = options;
  return execa(tool, words.map(reveal), {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(guard === undefined ? [] : [asDescriptor(guard.hold.fd)])],
    ...(input === undefined ? {} : { input: reveal(input) }),
    cwd: '/',
    extendEnv: false,
    env: toolEnvironment(guard?.marks ?? {}),
    detached: true,
    cleanup: false,
    reject: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: options.maxOutputBytes ?? 16 * 1024 * 1024,
    forceKillAfterDelay: graceMs,
  });
}

async function follow(request: ProcessRequest, subprocess: Subprocess, exited: Promise<void>): Promise<RunResult> {
  const { call, command, options, limitMs, guard } = request;
  const redactor = redactorOf(command, options.input);
  const { pid } = subprocess;
  if (pid === undefined) {
    const { code } = await subprocess;
    guard?.hold.ended(guard.marks);
    throw await startError(code, redactor);
  }
  using stop = new StopSignal(call.signal, limitMs);
  const lines =
    options.onLine === undefined ? undefined : readLines(subprocess, options.onLine, (cause) => stop.now({ why: 'onLine', cause }));
  if (guard !== undefined) {
    // The tool runs already, and ending it half way is worse than a record without its pid: the lock holds all the same.
    await guard.hold
      .started(guard.marks, pid)
      .catch((error: unknown) => call.log.error({ err: error }, 'A guarded tool could not be recorded'));
  }

  await Promise.race([exited, stop.promise]);
  const groupEnded = (): true | undefined => (isGroupRunning(pid) ? undefined : true);
  await waitUntil(groupEnded, { signal: stop.signal, limitMs: Number.POSITIVE_INFINITY, longestPauseMs: 50 });
  if (isGroupRunning(pid) && !(await endGroup(pid, request.graceMs))) {
    subprocess.unref();
    throw commandError('DEADLINE_EXCEEDED', 'hangs, or belongs to another user, and could not be ended', redactor, { stderr: '' }, { pid });
  }
  guard?.hold.ended(guard.marks);
  const result = await drain(subprocess);
  await lines;

  const text = (bytes: unknown): string => (bytes instanceof Uint8Array ? Buffer.from(bytes).toString('utf8') : '');
  const stdout = text(result.stdout);
  const end: CommandEnd = { exitCode: result.exitCode, signal: result.signal, stderr: text(result.stderr) };
  if (stop.reason !== undefined) throw stopError(stop.reason, limitMs, () => redactor, end);
  if (result.isMaxBuffer === true) {
    throw commandError('INTERNAL', 'wrote more output than it may, and was ended', redactor, end, {
      maxOutputBytes: options.maxOutputBytes,
    });
  }
  if (end.exitCode === undefined) throw commandError('INTERNAL', `was ended by ${end.signal ?? 'a signal'}`, redactor, end);
  if (!(options.okExitCodes ?? [0]).includes(end.exitCode))
    throw commandError('INTERNAL', `failed with exit code ${end.exitCode}`, redactor, end);
  return { exitCode: end.exitCode, stdout, stderr: end.stderr };
}

/**
 * The output of a command that has ended. A daemon that it left behind may hold the pipes for ever: they are closed when nothing comes
 * any more. Counted are turns of the event loop, each of which reads what is there, since by the clock alone a busy process would
 * close pipes that it had not read yet.
 */
async function drain(subprocess: Subprocess): Promise<Awaited<Subprocess>> {
  const closed = subprocess.then(() => true);
  const read = (stream: unknown): number => (stream instanceof Socket ? stream.bytesRead : 0);
  let seen = -1;
  for (let turn = 0, quiet = 0; turn < mostTurns && quiet < quietTurns; turn++) {
    if (await Promise.race([closed, pause(turnMs, false)])) return await subprocess;
    const now = read(subprocess.stdout) + read(subprocess.stderr);
    quiet = now === seen ? quiet + 1 : 0;
    seen = now;
  }
  subprocess.stdout?.destroy();
  subprocess.stderr?.destroy();
  return await subprocess;
}

async function readLines(subprocess: Subprocess, onLine: (line: string) => void, failed: (cause: unknown) => void): Promise<void> {
  if (subprocess.stdout === null) return;
  const reader = createInterface({ input: subprocess.stdout, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on('line', (line) => {
    try {
      onLine(line);
    } catch (cause) {
      reader.close();
      failed(cause);
    }
  });
  subprocess.stdout.once('close', () => reader.close());
  await once(reader, 'close');
}

function stopError(stop: Stop, limitMs: number, redactor: () => ReturnType<typeof redactorOf>, end: CommandEnd): VbsError {
  if (stop.why === 'limit')
    return commandError('DEADLINE_EXCEEDED', `did not end within ${limitMs} ms and was ended`, redactor(), end, { limitMs });
  if (stop.why === 'cancelled') return commandError('DEADLINE_EXCEEDED', 'was ended because its call was cancelled', redactor(), end);
  const command = redactor().command;
  return new VbsError('INTERNAL', `${command[0]} was ended because its output could not be used.`, {
    cause: stop.cause,
    context: { command },
  });
}

/** The first reason to end a command: its limit, its call's signal, or a listener that failed. */
class StopSignal implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #cancel = (): void => this.now({ why: 'cancelled' });
  readonly promise: Promise<void>;
  reason: Stop | undefined;

  constructor(
    private readonly outer: AbortSignal,
    limitMs: number,
  ) {
    this.promise = once(this.#controller.signal, 'abort').then(() => undefined);
    this.#timer = setTimeout(() => this.now({ why: 'limit' }), Math.min(limitMs, longestTimerMs));
    outer.addEventListener('abort', this.#cancel, { once: true });
    if (outer.aborted) this.#cancel();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  now(reason: Stop): void {
    this.reason ??= reason;
    this.#controller.abort();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.outer.removeEventListener('abort', this.#cancel);
  }
}
