import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../contract/call.js';
import { fromSerialized, VbsError } from '../errors.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import { Fenced } from './fenced.js';
import { type BegunOperation, type Journal, type OperationPlan, ResourceBusy } from './journal.js';
import { OperationRun, type RunOptions } from './operation-run.js';
import type { ProcessLease } from './process-lease.js';
import type { StoreTimes } from './store-times.js';
import type { Workflow } from './workflow.js';

type AnyWorkflow = Workflow<unknown, Record<string, unknown>>;

/** The most operations that run in one process at once; more are refused. */
export const maxRunning = 1_000;

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
      settleGuards: RunOptions['settleGuards'];
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
  }

  /**
   * Journals an operation and starts it.
   * @throws ABORTED: another operation holds a resource (at once, or after the wait that was asked for). UNAVAILABLE: the store closes.
   */
  async begin<P, O extends object>(
    plan: OperationPlan<P, O>,
    busy: { readonly wait: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<BegunOperation> {
    const limit = AbortSignal.timeout(this.#times.busyLimitMs);
    for (;;) {
      this.#requireOpen();
      try {
        return await this.#begin(plan);
      } catch (error) {
        if (error instanceof Fenced)
          throw new VbsError('UNAVAILABLE', 'this process could not renew its lease; try again', { cause: error });
        if (!(error instanceof ResourceBusy) || !busy.wait || limit.aborted) throw error;
        await this.#untilFree(error.holder, AbortSignal.any([limit, ...(busy.signal === undefined ? [] : [busy.signal])]));
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
      leave: AbortSignal.any([this.#leave.signal, this.#lease.lapsed]),
      pauseMs: this.#times.pauseMs,
      now: this.#now,
      settleGuards: this.#settleGuards,
    });
    const deadline = record.deadlineAt === null ? undefined : this.#atDeadline(run, record.deadlineAt);
    const ended = run.drive(resumed).finally(() => {
      clearTimeout(deadline);
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

  #atDeadline(run: OperationRun, deadlineAt: number): NodeJS.Timeout {
    const expire = (): void =>
      run.cancel(new VbsError('DEADLINE_EXCEEDED', 'the deadline of the operation is over', { resource: run.record.resourceId }));
    return setTimeout(expire, Math.min(Math.max(deadlineAt - this.#now(), 0), 2 ** 31 - 1)).unref();
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
          if (!(error instanceof Fenced)) throw error;
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

  /** Gives up a stuck operation where it stands; what it may have left outside stays there. */
  async abandon(operationId: string, reason: string): Promise<OperationRecord> {
    const record = await this.#require(operationId);
    if (record.state !== 'stuck' || record.owner === null) {
      throw new VbsError('FAILED_PRECONDITION', `operation ${operationId} is ${record.state}; only a stuck operation can be abandoned`, {
        resource: operationId,
      });
    }
    if (this.isBusyWith(operationId)) {
      throw new VbsError('FAILED_PRECONDITION', `a call of operation ${operationId} has not ended; abandon it when it has`, {
        resource: operationId,
      });
    }
    const workflow = this.#workflows.get(record.kind);
    const adopted = await this.#journal.adopt(operationId, record.owner);
    if (adopted === null || workflow === undefined)
      throw new VbsError('ABORTED', `operation ${operationId} was taken over; look again`, { resource: operationId });
    return this.#journal.end(adopted, 'failed', {
      entries: [],
      settle: async (tx) => {
        await workflow.abandon(tx, { id: adopted.id, params: adopted.params, output: adopted.output }, reason);
        return { reason, error: adopted.error ?? new VbsError('ABORTED', reason).toJSON() };
      },
    });
  }

  async #require(operationId: string): Promise<OperationRecord> {
    const record = await operations.get(this.#store.db, operationId);
    if (record === null) throw new VbsError('NOT_FOUND', `there is no operation ${operationId}`, { resource: operationId });
    return record;
  }

  /** Takes no new work, lets what runs end, and lets go of the rest as the journal has it. */
  async close(): Promise<void> {
    this.#closing = true;
    const allEnded = Promise.allSettled([...this.#running.values()].map(({ ended }) => ended));
    await within(allEnded, this.#times.drainMs);
    this.#leave.abort(new Fenced('the store closes'));
    await within(allEnded, this.#times.leaveMs);
    if (this.#running.size > 0) this.#log.warn({ operations: [...this.#running.keys()] }, 'closed over calls that did not end');
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
