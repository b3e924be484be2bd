import { constants } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Call, Logger } from '../contract/call.js';
import { isSecret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import { commandError, startError } from './command-errors.js';
import { endProcess } from './end-process.js';
import { fileError, withFileErrors } from './file-errors.js';
import type { Guards } from './guard.js';
import { type LongRunningRecord, LongRunningRecords } from './long-running-record.js';
import type { Argument, LongRunning, StartOptions } from './machine.js';
import { isRunning, readProcessStat } from './proc.js';
import { readBootId } from './process-identity.js';
import { type Redactor, redactorOf } from './redact.js';
import { safeFileName } from './safe-name.js';
import { readStart } from './small-files.js';
import { asDescriptor, toolEnvironment } from './tool-environment.js';
import { waitUntil } from './wait-until.js';

const defaultGraceMs = 5_000;

/** Appending, so that an operator may cut the file while the command writes. */
const emptyLog = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

/** The ready line is looked for in so much of the log's start. */
const lookedAtBytes = 1024 * 1024;

/** How the end of a command is told to whoever waits for its ready line. */
type Exit = { readonly exitCode: number | null; readonly signal: string | null };

/** A command that runs; what else is known of one that was started just now is in {@link Spawned}. */
interface Found extends Partial<Spawned> {
  readonly record: LongRunningRecord;
}

interface Spawned {
  readonly record: LongRunningRecord;
  readonly exit: Promise<Exit>;
  /** From then on the command keeps this process from ending no more; until then its end can be waited for. */
  release(): void;
}

/**
 * Commands that outlive this process. Each is detached, writes to `processes/<name>.log` of the state directory, and must stay in
 * the foreground of its own process group: one that makes a daemon of itself counts as ended.
 */
export class LongRunningCommands {
  readonly #records: LongRunningRecords;
  readonly #guards: Guards;

  constructor(stateDirectory: string, guards: Guards, log: Logger) {
    this.#records = new LongRunningRecords(stateDirectory, log);
    this.#guards = guards;
  }

  start(call: Call, name: string, command: readonly [string, ...Argument[]], options: StartOptions): Promise<LongRunning> {
    const fileName = safeFileName('name', name);
    const limitMs = options.timeLimitMs ?? 10_000;
    return this.#guards.hold(call, options.guard, limitMs, async () => {
      await withFileErrors(this.#records.folder, 'make', () => mkdir(this.#records.folder, { recursive: true, mode: 0o700 }));
      const redactor = redactorOf(command);
      const found = (await this.#records.running()).get(name);
      const { record, exit, release }: Found =
        found === undefined ? await this.#spawn(fileName, name, command, redactor) : { record: found };
      try {
        if (!record.ready) await this.#becomeReady(call, fileName, record, exit, redactor, options, limitMs);
      } finally {
        release?.();
      }
      return { name, pid: record.pid };
    });
  }

  async find(namePrefix: string): Promise<readonly LongRunning[]> {
    const running = [...(await this.#records.running()).values()].filter(({ name }) => name.startsWith(namePrefix));
    return running.map(({ name, pid }) => ({ name, pid })).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  stop(call: Call, name: string, options: { readonly guard: string; readonly graceMs?: number }): Promise<void> {
    const fileName = safeFileName('name', name);
    const graceMs = options.graceMs ?? defaultGraceMs;
    return this.#guards.hold(call, options.guard, graceMs + defaultGraceMs, async () => {
      const record = (await this.#records.running()).get(name);
      if (record !== undefined) await end(record, graceMs);
      for (const kind of ['json', 'log']) await rm(join(this.#records.folder, `${fileName}.${kind}`), { force: true });
    });
  }

  async #spawn(fileName: string, name: string, [tool, ...words]: readonly [string, ...Argument[]], redactor: Redactor): Promise<Spawned> {
    const path = this.#logPath(fileName);
    const log = await withFileErrors(path, 'write', () => open(path, emptyLog, 0o600));
    try {
      const subprocess = execa(
        tool,
        words.map((word) => (isSecret(word) ? word.reveal() : word)),
        {
          stdio: ['ignore', asDescriptor(log.fd), asDescriptor(log.fd)],
          cwd: '/',
          extendEnv: false,
          env: toolEnvironment(this.#records.mark(name)),
          detached: true,
          cleanup: false,
          reject: false,
          buffer: false,
        },
      );
      const { pid } = subprocess;
      if (pid === undefined) throw await startError((await subprocess).code, redactor);
      const exit = new Promise<Exit>((resolve) => subprocess.once('exit', (exitCode, signal) => resolve({ exitCode, signal })));
      const stat = readProcessStat(pid);
      if (stat === undefined) throw commandError('INTERNAL', 'ended at once', redactor, { stderr: '' });
      const record = { name, pid, startTime: stat.startTime, bootId: readBootId(), ready: false };
      const release = (): void => subprocess.unref();
      try {
        await this.#records.write(fileName, record);
      } catch (error) {
        try {
          await end(record, defaultGraceMs);
        } finally {
          release();
        }
        throw fileError(error, this.#records.folder, 'write to');
      }
      return { record, exit, release };
    } finally {
      await log.close();
    }
  }

  async #becomeReady(
    call: Call,
    fileName: string,
    record: LongRunningRecord,
    exit: Promise<Exit> | undefined,
    redactor: Redactor,
    options: StartOptions,
    limitMs: number,
  ): Promise<void> {
    const path = this.#logPath(fileName);
    // Without `g` and `y`, which would make it remember where the last match ended.
    const pattern = new RegExp(options.readyLine.source, options.readyLine.flags.replace(/[gy]/g, ''));
    const output = (): Promise<string> => readStart(path, lookedAtBytes);
    const look = async (): Promise<'ready' | 'ended' | undefined> => {
      const running = isRunning(record);
      const lines = (await output()).split('\n').slice(0, -1);
      if (!running) return 'ended';
      return lines.some((line) => pattern.test(line)) ? 'ready' : undefined;
    };
    const found = await waitUntil(look, { signal: call.signal, limitMs, watch: path });
    if (found === 'ready') {
      await this.#records.write(fileName, { ...record, ready: true });
      return;
    }
    if (found === undefined) await end(record, defaultGraceMs);
    const ended = exit === undefined ? undefined : await exit;
    const how = { exitCode: ended?.exitCode ?? undefined, signal: ended?.signal ?? undefined, stderr: await output() };
    await rm(join(this.#records.folder, `${fileName}.json`), { force: true });
    if (found === 'ended') throw commandError('INTERNAL', 'ended before it was ready', redactor, how);
    const why = call.signal.aborted ? 'was ended because its call was cancelled' : `was not ready within ${limitMs} ms and was ended`;
    throw commandError('DEADLINE_EXCEEDED', why, redactor, how, { limitMs });
  }

  #logPath(fileName: string): string {
    return join(this.#records.folder, `${fileName}.log`);
  }
}

async function end(record: LongRunningRecord, graceMs: number): Promise<void> {
  if (await endProcess(record, graceMs)) return;
  throw new VbsError(
    'DEADLINE_EXCEEDED',
    `${record.name} (process ${record.pid}) hangs, or belongs to another user, and could not be ended.`,
    {
      context: { name: record.name, pid: record.pid },
    },
  );
}
