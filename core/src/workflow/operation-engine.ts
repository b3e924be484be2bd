import { setTimeout as pause } from 'node:timers/promises';
import { anySignal } from '../any-signal.js';
import type { Call, Logger } from '../contract/call.js';
import { fromSerialized, toVbsError, VbsError } from '../errors.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import type { WorkflowObserver } from '../observer.js';
import { Fenced } from './fenced.js';
import { type BegunOperation, type Journal, type OperationPlan, ResourceBusy } from './journal.js';
import { OperationRun, type RunOptions } from './operation-run.js';
import type { OtherProcesses } from './other-processes.js';
import type { ProcessLease } from './process-lease.js';
import type { StoreTimes } from './store-times.js';
import type { Workflow } from './workflow.js';

type AnyWorkflow = Workflow<unknown, Record<string, unknown>>;

/** The most operations that run in one process at once; more are refused. */
export const maxRunning = 1_000;

/** What a timer of Node.js can wait at the most, in milliseconds: 24.8 days. */
const longestTimerMs = 2 ** 31 - 1;

export interface WaitOptions {
  /** Ends the waiting, not the operation. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

interface Running {
  readonly run: OperationRun;
  readonly ended: Promise<OperationRecord>;
}

/** Begins operations, runs them, and lets callers wait for them. */
export class OperationEngine {
  readonly #store: MetadataStore;
  readonly #journal: Journal;
  readonly #lease: ProcessLease;
  readonly #workflows: ReadonlyMap<string, AnyWorkflow>;
  readonly #log: Logger;
  readonly #times: StoreTimes;
  readonly #settleGuards: RunOptions['settleGuards'];
  readonly #observer: WorkflowObserver;
  readonly #others: OtherProcesses;
  readonly #now: () => number;
  readonly #running = new Map<string, Running>();
  /** In the journal, and about to be launched. */
  readonly #beginning = new Set<string>();
  /** Calls that outlived their time limit, by operation (safety B2). */
  readonly #unsettled = new Map<string, Promise<void>>();
  readonly #leave = new AbortController();
  #closing = false;

  constructor(
    store: MetadataStore,
    journal: Journal,
    lease: ProcessLease,
    options: {
      workflows: readonly AnyWorkflow[];
      log: Logger;
      now: () => number;
      times: StoreTimes;
      others: OtherProcesses;
      settleGuards: RunOptions['settleGuards'];
      observer: WorkflowObserver;
    },
  ) {
    this.#store = store;
    this.#journal = journal;
    this.#lease = lease;
    this.#workflows = new Map(options.workflows.map((workflow) => [workflow.kind, workflow]));
    this.#log = options.log;
    this.#now = options.now;
    this.#times = options.times;
    this.#settleGuards = options.settleGuards;
    this.#observer = options.observer;
    this.#others = options.others;
  }

  /**
   * Journals an operation and starts it.
   * @throws ABORTED: another operation holds a resource (at once, or after the wait that was asked for). UNAVAILABLE: the store closes.
   */
  async begin<P, O extends object>(
    plan: OperationPlan<P, O>,
    busy: { readonly wait: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<BegunOperation> {
    // Only for who has to wait: every call would keep a timer for a minute.
    let limit: AbortSignal | undefined;
    for (;;) {
      this.#requireOpen();
      try {
        return await this.#begin(plan);
      } catch (error) {
        if (error instanceof Fenced)
          throw new VbsError('UNAVAILABLE', 'this process could not renew its lease; try again', { cause: error });
        if (!(error instanceof ResourceBusy) || !busy.wait || limit?.aborted === true) throw error;
        limit ??= AbortSignal.timeout(this.#times.busyLimitMs);
        await this.#untilFree(error.holder, anySignal(limit, busy.signal));
        busy.signal?.throwIfAborted();
      }
    }
  }

  async #begin<P, O extends object>(plan: OperationPlan<P, O>): Promise<BegunOperation> {
    const born: string[] = [];
    try {
      const begun = await this.#journal.begin(plan, (id) => {
        born.push(id);
        this.#beginning.add(id);
      });
      if (!begun.repeated) this.launch(begun.record, false);
      return begun;
    } finally {
      for (const id of born) this.#beginning.delete(id);
    }
  }

  #requireOpen(): void {
    if (this.#closing) throw new VbsError('UNAVAILABLE', 'the store is closing and takes no new work');
    if (this.#running.size >= maxRunning)
      throw new VbsError('RESOURCE_EXHAUSTED', `${maxRunning} operations run already; try again when some have ended`);
  }

  async #untilFree(operationId: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.#mayHold(operationId))) {
      const running = this.#running.get(operationId);
      const timer = pause(this.#times.pollMs, undefined, { signal }).catch(() => undefined);
      await (running === undefined ? timer : Promise.race([timer, running.ended.catch(() => undefined)]));
    }
  }

  async #mayHold(operationId: string): Promise<boolean> {
    const record = await operations.get(this.#store.db, operationId);
    return record !== null && (record.state === 'running' || record.state === 'stuck');
  }

  /** Runs an operation that this process owns. `resumed`: nobody knows how its present step ended. */
  launch(record: OperationRecord, resumed: boolean): void {
    const workflow = this.#workflows.get(record.kind);
    if (workflow === undefined) throw new TypeError(`no workflow is called ${record.kind}`);
    const run = new OperationRun(record, workflow, {
      journal: this.#journal,
      log: this.#log,
      observer: this.#observer,
      leave: anySignal(this.#leave.signal, this.#lease.lapsed),
      pauseMs: this.#times.pauseMs,
      now: this.#now,
      requireHeld: () => this.#lease.requireHeld(),
      settleGuards: this.#settleGuards,
    });
    const disarm = record.deadlineAt === null ? () => undefined : this.#armDeadline(run, record.deadlineAt);
    const ended = run.drive(resumed).finally(() => {
      disarm();
      this.#running.delete(record.id);
      if (run.settled !== undefined) this.#keepUnsettled(record.id, run.settled);
    });
    this.#running.set(record.id, { run, ended });
    ended.catch((error: unknown) => {
      if (error instanceof Fenced) this.#log.info({ operationId: record.id }, error.message);
      else
        this.#log.error(
          { err: error, operationId: record.id, kind: record.kind },
          'operation stands where the journal says; it will be tried again',
        );
    });
  }

  /** Cancels a run at its deadline; what is answered disarms that. */
  #armDeadline(run: OperationRun, deadlineAt: number): () => void {
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      const leftMs = deadlineAt - this.#now();
      if (leftMs > 0) timer = setTimeout(arm, Math.min(leftMs, longestTimerMs)).unref();
      else run.cancel(new VbsError('DEADLINE_EXCEEDED', 'the deadline of the operation is over', { resource: run.record.resourceId }));
    };
    arm();
    return () => clearTimeout(timer);
  }

  knows(kind: string): boolean {
    return this.#workflows.has(kind);
  }

  #keepUnsettled(operationId: string, settled: Promise<void>): void {
    this.#unsettled.set(operationId, settled);
    void settled.finally(() => this.#unsettled.delete(operationId));
  }

  /** Whether this process works on an operation, begins it, or waits for a call of it that outlived its time limit. */
  isBusyWith(operationId: string): boolean {
    return this.#beginning.has(operationId) || this.#running.has(operationId) || this.#unsettled.has(operationId);
  }

  /** The operation once it has ended or is stuck. @throws the reason of the signal, when that comes first. */
  async wait(operationId: string, { signal, onProgress }: WaitOptions = {}): Promise<OperationRecord> {
    for (;;) {
      signal?.throwIfAborted();
      const running = this.#running.get(operationId);
      if (running !== undefined) {
        const stopListening = onProgress === undefined ? undefined : running.run.onProgress(onProgress);
        try {
          return await unlessAborted(running.ended, signal);
        } catch (error) {
          if (signal?.aborted === true) throw error;
          if (!(error instanceof Fenced)) throw goesOnLater(operationId, error);
          if (this.#closing)
            throw new VbsError('UNAVAILABLE', `the store closed; operation ${operationId} goes on at the next start`, {
              context: { operationId },
            });
        } finally {
          stopListening?.();
        }
      }
      const record = await operations.get(this.#store.db, operationId);
      if (record === null) throw new VbsError('NOT_FOUND', `there is no operation ${operationId}`, { resource: operationId });
      if (record.state !== 'running') return record;
      await pause(this.#times.pollMs, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** Asks an operation to go back, as far as it still may. */
  async cancel(operationId: string): Promise<void> {
    const record = await this.#require(operationId);
    if (record.state !== 'running' && record.state !== 'stuck') return;
    await this.#store.transaction(({ trx }) => operations.update(trx, operationId, { cancelRequested: 1 }));
    this.#running.get(operationId)?.run.cancel(new VbsError('ABORTED', 'the operation was cancelled', { resource: record.resourceId }));
  }

  /**
   * Gives up an operation on which nobody works, where it stands; what it may have left outside stays there.
   * @throws FAILED_PRECONDITION: it has ended, or somebody works on it. DEADLINE_EXCEEDED: a command of it still runs.
   */
  async abandon(operationId: string, reason: string): Promise<OperationRecord> {
    const record = await this.#require(operationId);
    const owner = await this.#requireIdle(record, 'abandoned');
    // From here on no look for due operations takes it up.
    this.#beginning.add(operationId);
    try {
      return await this.#abandon(operationId, owner, reason);
    } catch (error) {
      if (error instanceof Fenced) throw takenOver(operationId, error);
      throw error;
    } finally {
      this.#beginning.delete(operationId);
    }
  }

  async #abandon(operationId: string, owner: string, reason: string): Promise<OperationRecord> {
    const adopted = await this.#journal.adopt(operationId, owner);
    const workflow = this.#workflows.get(adopted?.kind ?? '');
    if (adopted === null || workflow === undefined) throw takenOver(operationId);
    await this.#settleGuards(adopted, this.#looking(adopted));
    return this.#journal.end(adopted, 'failed', {
      entries: [],
      settle: async (tx) => {
        await workflow.abandon(tx, { id: adopted.id, params: adopted.params, output: adopted.output }, reason);
        return { reason, error: adopted.error ?? new VbsError('ABORTED', reason).toJSON() };
      },
    });
  }

  /** @throws FAILED_PRECONDITION: the operation has ended, or somebody works on it; the message says who. */
  async requireIdle(operationId: string, what: string): Promise<void> {
    await this.#requireIdle(await this.#require(operationId), what);
  }

  /** The owner of an operation that waits for its next try, or for somebody to go on with it. @throws FAILED_PRECONDITION */
  async #requireIdle({ id, state, owner }: OperationRecord, what: string): Promise<string> {
    const refuse = (why: string): VbsError =>
      new VbsError('FAILED_PRECONDITION', `operation ${id} cannot be ${what}: ${why}`, { resource: id });
    if (owner === null) throw refuse(`it is ${state}`);
    if (this.isBusyWith(id)) throw refuse(state === 'stuck' ? 'a call of it has not ended' : 'it is running');
    if (owner === this.#lease.processId || (await this.#others.gone()).has(owner)) return owner;
    throw refuse(`process ${owner}, which is alive, has it; ask there`);
  }

  #looking({ id, epoch }: OperationRecord): Call {
    return { operationId: id, epoch, signal: this.#leave.signal, log: this.#log, progress: () => undefined };
  }

  async #require(operationId: string): Promise<OperationRecord> {
    const record = await operations.get(this.#store.db, operationId);
    if (record === null) throw new VbsError('NOT_FOUND', `there is no operation ${operationId}`, { resource: operationId });
    return record;
  }

  /** Takes no new work, lets what runs end, and lets go of the rest as the journal has it. Answers whether calls still run. */
  async close(): Promise<boolean> {
    this.#closing = true;
    const allEnded = Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    await within(allEnded, this.#times.drainMs);
    this.#leave.abort(new Fenced('the store closes'));
    await within(allEnded, this.#times.leaveMs);
    const operationIds = [...this.#running.keys(), ...this.#unsettled.keys()];
    if (operationIds.length > 0) this.#log.warn({ operationIds }, 'closed over calls that did not end');
    return operationIds.length > 0;
  }
}

/** What a record that ended well answers. @throws the operation's error, when it failed or is stuck. */
export function resultOf(record: OperationRecord): unknown {
  if (record.state === 'succeeded') return record.result;
  const error =
    record.error === null ? new VbsError('INTERNAL', `operation ${record.id} is ${record.state}`) : fromSerialized(record.error);
  const stuck = record.state === 'stuck' ? { remains: record.reason } : {};
  throw new VbsError(
    error.code,
    record.state === 'stuck' ? `${error.message}; operation ${record.id} is stuck: ${record.reason}` : error.message,
    {
      resource: error.resource ?? record.resourceId,
      context: { ...error.context, operationId: record.id, ...stuck },
    },
  );
}

/** The operation stands as the journal says, and is taken up again: the caller is told where to look. */
function goesOnLater(operationId: string, error: unknown): VbsError {
  const { code, message, resource, context } = toVbsError(error);
  return new VbsError(code, `${message}; operation ${operationId} stands in the journal and goes on when that is mended`, {
    ...(resource === undefined ? {} : { resource }),
    context: { ...context, operationId },
    cause: error,
  });
}

function takenOver(operationId: string, cause?: unknown): VbsError {
  return new VbsError('ABORTED', `operation ${operationId} was taken over; look again`, { resource: operationId, cause });
}

async function within(work: Promise<unknown>, timeMs: number): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work, pause(timeMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
  timer.abort();
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
