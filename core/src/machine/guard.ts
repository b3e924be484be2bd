import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Call } from '../contract/call.js';
import { VbsError } from '../errors.js';
import { unlock } from '../posix/index.js';
import { endProcess } from './end-process.js';
import { withFileErrorsNow } from './file-errors.js';
import { type GuardedTool, type GuardRecord, leftoversOf, readGuardRecord, runningToolsOf, writeGuardRecord } from './guard-record.js';
import { tryLockFile } from './lock-file.js';
import { isRunning, type ProcessStat, readProcessStat } from './proc.js';
import { ownIdentity, type ProcessIdentity } from './process-identity.js';
import { safeFileName } from './safe-name.js';
import { guardVariable } from './tool-environment.js';
import { waitUntil } from './wait-until.js';

/** The guard of one resource while it is held. */
export interface GuardHold {
  readonly epoch: number;
  /** The open file that bears the lock; a tool inherits it, and so holds the lock too. */
  readonly fd: number;
  /** Announces a tool that is about to be started. Answers the environment that marks it. */
  announce(): Promise<Readonly<Record<string, string>>>;
  /** Notes the announced tool's pid; called straight after it was started. */
  started(environment: Readonly<Record<string, string>>, pid: number): Promise<void>;
  /** The announced tool has ended, or was not started. Without it the lock is left to the tool, and is free when that ends. */
  ended(environment: Readonly<Record<string, string>>): void;
}

export interface SettleOptions {
  /** `wait` for what a predecessor left to end by itself, or `end` it. */
  readonly leftovers: 'wait' | 'end';
  /** Between SIGTERM and SIGKILL, in milliseconds; 5,000 unless told. */
  readonly graceMs?: number;
  /** In milliseconds; 30,000 unless told. */
  readonly timeLimitMs?: number;
}

/** By the path of the guard; of all machines of this process: Node.js keeps every storage that was ever used, and each promise pays for all. */
const held = new AsyncLocalStorage<ReadonlyMap<string, Hold>>();

/**
 * The guards of a machine (safety B1): a lock for each resource that is held until the tool under it has ended, also when this process
 * died, and that refuses whoever comes with an epoch lower than the last one seen.
 *
 * `<resource>.lock` bears the lock and is never replaced; `<resource>.json` beside it is the record, written so that no process that is
 * killed leaves half of it. A record that is damaged all the same refuses every command, since the epoch it held is not known; only
 * {@link settle} writes it anew, since recovery comes with an epoch that the store has just raised. A power cut may leave half of it,
 * since nothing is synced here: it ends everything that a guard is against, so the lock bears the boot in which a record was last
 * written, and a damaged one of an earlier boot counts as none. A tool may close the inherited file (sudo and LVM do): the record's pid
 * and token then show that it still runs.
 *
 * These small files are touched at once, not through Node's threads: the kernel does it in memory in a few microseconds, while a turn
 * through the threads costs many times that, a dozen of them for each act, and waits behind whatever a slow disk keeps there.
 */
export class Guards {
  readonly #folder: string;
  #self: Promise<ProcessIdentity> | undefined;

  constructor(stateDirectory: string) {
    this.#folder = join(stateDirectory, 'guards');
  }

  /**
   * Acts under the guard of a resource. Under a guard that the same act already holds, with the same epoch, it acts at once.
   * @throws ABORTED: a higher epoch was seen, or the guard did not come free within `waitMs` or the call; the act was not begun.
   */
  async hold<T>(call: Call, resource: string, waitMs: number, act: (hold: GuardHold) => Promise<T>): Promise<T> {
    const outer = held.getStore();
    const path = this.#path(resource);
    const nested = outer?.get(path);
    if (nested?.open === true && nested.epoch === call.epoch) return act(nested);
    await using hold = await this.#take(call, resource, waitMs);
    return await held.run(new Map(outer).set(path, hold), () => act(hold));
  }

  /**
   * For recovery, which took the resource over: waits until nothing that a predecessor started for it runs, or ends it (verified by pid,
   * start time and boot id), and writes the call's epoch, so that from then on no predecessor can begin anything.
   * @throws ABORTED: a higher epoch was seen. DEADLINE_EXCEEDED: something still runs (`context.pids`).
   */
  async settle(call: Call, resource: string, options: SettleOptions): Promise<void> {
    const limitMs = options.timeLimitMs ?? 30_000;
    const deadline = performance.now() + limitMs;
    const path = this.#path(resource);
    const self = await this.#ownIdentity();
    const endLeftovers = async (): Promise<readonly ProcessStat[]> => {
      const record = readRepairable(path, resource);
      if (record === undefined) return [];
      refuseLowerEpoch(call, resource, record);
      const left = await leftoversOf(record, self.bootId);
      const mine = record.epoch === call.epoch && isSame(record.holder, self);
      if (options.leftovers === 'wait' || mine) return left;
      for (const tool of left) await endProcess(tool, options.graceMs ?? 5_000);
      return leftoversOf(record, self.bootId);
    };
    const wait = { signal: call.signal, limitMs };
    const fd = await waitUntil(async () => {
      await endLeftovers();
      return tryLockFile(`${path}.lock`);
    }, wait);
    if (fd === undefined) throw stillRuns(resource, await endLeftovers());
    await using hold = new Hold(fd, path, call.epoch, self);
    const none = async (): Promise<true | undefined> => ((await endLeftovers()).length === 0 ? true : undefined);
    const settled = await waitUntil(none, { ...wait, limitMs: deadline - performance.now() });
    if (settled === undefined) throw stillRuns(resource, await endLeftovers());
    hold.write([]);
  }

  async #take(call: Call, resource: string, waitMs: number): Promise<Hold> {
    const path = this.#path(resource);
    const deadline = performance.now() + waitMs;
    const wait = { signal: call.signal, limitMs: waitMs };
    const self = await this.#ownIdentity();
    const fd = call.signal.aborted ? undefined : await waitUntil(() => tryLockFile(`${path}.lock`), wait);
    if (fd === undefined) throw notFree(call, resource, []);
    const hold = new Hold(fd, path, call.epoch, self);
    try {
      const record = readUnlessOfEarlierBoot(path, resource, fd, self.bootId);
      hold.marked = record?.holder.bootId === self.bootId;
      if (record !== undefined) refuseLowerEpoch(call, resource, record);
      if (record !== undefined) {
        // Of its own tools this process knows every pid; looking for others' takes a walk through /proc.
        const left = (): Promise<readonly ProcessStat[]> | readonly ProcessStat[] =>
          isSame(record.holder, self) ? runningToolsOf(record) : leftoversOf(record, self.bootId);
        const none = async (): Promise<true | undefined> => ((await left()).length === 0 ? true : undefined);
        const free = await waitUntil(none, { ...wait, limitMs: deadline - performance.now() });
        if (free === undefined) throw notFree(call, resource, await left());
      }
      if (call.signal.aborted) throw notFree(call, resource, []);
      if (record?.epoch !== call.epoch || !isSame(record.holder, self)) hold.write([]);
      return hold;
    } catch (error) {
      await hold[Symbol.asyncDispose]();
      throw error;
    }
  }

  #path(resource: string): string {
    return join(this.#folder, safeFileName('guard', resource));
  }

  #ownIdentity(): Promise<ProcessIdentity> {
    this.#self ??= ownIdentity();
    return this.#self;
  }
}

class Hold implements GuardHold, AsyncDisposable {
  open = true;
  /** The lock bears this boot: a record was written in it. */
  marked = false;
  readonly #running = new Set<string>();
  #tools: readonly GuardedTool[] = [];

  constructor(
    readonly fd: number,
    private readonly path: string,
    readonly epoch: number,
    private readonly self: ProcessIdentity,
  ) {}

  write(tools: readonly GuardedTool[]): void {
    const record = `${this.path}.json`;
    withFileErrorsNow(record, 'write', () => {
      if (!this.marked) writeSync(this.fd, this.self.bootId, 0);
      this.marked = true;
      writeGuardRecord(record, { epoch: this.epoch, holder: this.self, tools });
    });
    this.#tools = tools;
  }

  async announce(): Promise<Readonly<Record<string, string>>> {
    const token = randomBytes(16).toString('hex');
    const alive = this.#tools.filter(({ process }) => process === undefined || isRunning(process));
    this.write([...alive, { token }]);
    this.#running.add(token);
    return { [guardVariable]: token };
  }

  async started(environment: Readonly<Record<string, string>>, pid: number): Promise<void> {
    const token = environment[guardVariable];
    const stat = readProcessStat(pid);
    const others = this.#tools.filter((tool) => tool.token !== token);
    this.write(token === undefined || stat === undefined ? others : [...others, { token, process: { pid, startTime: stat.startTime } }]);
  }

  ended(environment: Readonly<Record<string, string>>): void {
    this.#running.delete(environment[guardVariable] ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.open = false;
    // Unlocked for every process that has the file: a daemon that the tool has left behind must not hold the guard.
    if (this.#running.size === 0) unlock(this.fd);
    closeSync(this.fd);
  }
}

function isSame(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTime === b.startTime && a.bootId === b.bootId;
}

/** The record; none where a power cut left a damaged one, whose lock was last marked in an earlier boot. */
function readUnlessOfEarlierBoot(path: string, resource: string, lock: number, bootId: string): GuardRecord | undefined {
  try {
    return readGuardRecord(`${path}.json`, resource);
  } catch (error) {
    const marked = Buffer.alloc(bootId.length);
    const length = readSync(lock, marked, 0, marked.length, 0);
    if (!isDamaged(error) || marked.toString('latin1', 0, length) === bootId) throw error;
    return undefined;
  }
}

function isDamaged(error: unknown): boolean {
  return error instanceof VbsError && error.code === 'FAILED_PRECONDITION';
}

function readRepairable(path: string, resource: string): GuardRecord | undefined {
  try {
    return readGuardRecord(`${path}.json`, resource);
  } catch (error) {
    if (isDamaged(error)) return undefined;
    throw error;
  }
}

function refuseLowerEpoch(call: Call, resource: string, record: GuardRecord): void {
  if (record.epoch <= call.epoch) return;
  throw new VbsError(
    'ABORTED',
    `${resource} was taken over by another process: its guard has seen epoch ${record.epoch}, not ${call.epoch}.`,
    {
      resource,
      context: { epoch: call.epoch, seenEpoch: record.epoch },
    },
  );
}

function notFree(call: Call, resource: string, left: readonly ProcessStat[]): VbsError {
  const why = call.signal.aborted ? 'the call was cancelled' : 'another command for it still runs';
  const pids = left.map(({ pid }) => pid);
  return new VbsError('ABORTED', `The guard of ${resource} was not free in time: ${why}. Nothing was run.`, {
    resource,
    context: { pids },
  });
}

function stillRuns(resource: string, left: readonly ProcessStat[]): VbsError {
  const pids = left.map(({ pid }) => pid);
  const message = `A command that an earlier process started for ${resource} still runs, or left a process behind that holds its guard.`;
  return new VbsError('DEADLINE_EXCEEDED', `${message} Look at the processes in context.pids and end them.`, {
    resource,
    context: { pids },
  });
}
