import { performance } from 'node:perf_hooks';
import { anySignal } from '../any-signal.js';
import type { Logger } from '../contract/call.js';
import { fromSerialized, type SerializedError, toVbsError, VbsError } from '../errors.js';
import type { OperationRecord, StepEntry } from '../metadata/operations.js';
import type { OperationEnd, WorkflowObserver } from '../observer.js';
import { type Attempt, attempt, look } from './attempt.js';
import { Fenced } from './fenced.js';
import type { Journal } from './journal.js';
import { ProgressJournal } from './progress-journal.js';
import type { ChangeStep, Step, StepContext } from './step.js';
import type { EndingOperation, Workflow } from './workflow.js';

type AnyStep = Step<unknown, Record<string, unknown>>;
type AnyChangeStep = ChangeStep<unknown, Record<string, unknown>>;
type Output = Readonly<Record<string, unknown>>;

/** What is to happen after a step was tried. */
type Turn =
  | { readonly turn: 'next'; readonly output: Output }
  | {
      readonly turn: 'back';
      readonly error: VbsError;
      /** The step itself left nothing behind. */
      readonly skipOwn: boolean;
      /** Its plugin has seen that nothing changed: where the check agrees, it needs no undo. */
      readonly untouched?: boolean;
    }
  | { readonly turn: 'stuck'; readonly error: VbsError; readonly reason: string };

/** How often an undo is tried before the operation waits for its next turn. */
const mostUndos = 2;

/** What a step that went on leaves of the tries before. */
const cleared = { error: null, reason: null, attempts: 0, nextTryAt: null } as const;

export interface RunOptions {
  readonly journal: Journal;
  readonly log: Logger;
  readonly observer: WorkflowObserver;
  /** Aborted when this process must let go of the operation as it stands: it closes, or its lease is over. */
  readonly leave: AbortSignal;
  /** The pause before a stuck operation is tried again, by how often it was tried. */
  readonly pauseMs: (attempts: number) => number;
  readonly now: () => number;
  /** @throws Fenced: the lease of this process may be over. */
  readonly requireHeld: () => void;
  /** Brings an operation's guards to this epoch: what a dead process left running under them has ended then (safety B1). */
  readonly settleGuards: (record: OperationRecord, call: StepContext<unknown, unknown>['call']) => Promise<void>;
}

/** Takes one operation through its steps, forward or back, from where the journal says it stands. */
export class OperationRun {
  readonly #workflow: Workflow<unknown, Record<string, unknown>>;
  readonly #options: RunOptions;
  readonly #steps: readonly AnyStep[];
  readonly #cancel = new AbortController();
  readonly #progress: ProgressJournal;
  #record: OperationRecord;
  /** The present step may have acted before: a refusal then does not say that nothing was changed. */
  #again = false;
  /** Ends when a call that outlived its time limit has ended; only then may the operation go on. */
  settled: Promise<void> | undefined;

  constructor(record: OperationRecord, workflow: Workflow<unknown, Record<string, unknown>>, options: RunOptions) {
    this.#record = record;
    this.#workflow = workflow;
    this.#options = options;
    this.#steps = workflow.steps(record.params);
    this.#progress = new ProgressJournal(
      options.journal,
      () => this.#record,
      (written) => this.#cancelIfRequested(written),
    );
    this.#cancelIfRequested();
  }

  get record(): OperationRecord {
    return this.#record;
  }

  onProgress(listener: (doneBytes: number, totalBytes: number) => void): () => void {
    return this.#progress.listen(listener);
  }

  /** Asks the operation to go back, as far as it still may. */
  cancel(error: VbsError): void {
    this.#cancel.abort(error);
  }

  /**
   * Drives the operation until it has ended or is stuck. `resumed`: nobody knows how its present step ended.
   * @throws Fenced: this process let go of it as it stands. Any error of the database: it stands as the journal says.
   */
  async drive(resumed: boolean): Promise<OperationRecord> {
    try {
      await this.#drive(resumed);
      return this.#record;
    } catch (error) {
      if (error instanceof Fenced) throw error;
      // Whatever it is, the operation is to have a way out (safety A6): where the database takes it, it is stuck with this reason.
      const told = toVbsError(error);
      await this.#stuck({ turn: 'stuck', error: told, reason: told.message }).catch(() => {
        throw error;
      });
      return this.#record;
    } finally {
      await this.#progress.flush();
    }
  }

  async #drive(resumed: boolean): Promise<void> {
    if (resumed) await this.#options.settleGuards(this.#record, this.#context('check').call);
    if (this.#record.direction === 'forward') await this.#forward(resumed);
    else await this.#back(false, null);
  }

  async #forward(resumed: boolean): Promise<void> {
    let turn = resumed ? await this.#resume() : await this.#do();
    while (turn.turn === 'next') {
      const output = { ...this.#record.output, ...turn.output };
      const done: StepEntry = { step: this.#step.name, act: 'do', outcome: 'done', detail: turn.output };
      const next = this.#steps[this.#record.step + 1];
      if (next === undefined) return this.#succeed(done, output);
      const entries: StepEntry[] = [done, { step: next.name, act: 'do', outcome: 'intended' }];
      await this.#progress.flush();
      await this.#write({ ...cleared, output, step: this.#record.step + 1, state: 'running', doneBytes: null, totalBytes: null }, entries);
      turn = await this.#do();
    }
    if (turn.turn === 'stuck') return this.#stuck(turn);
    await this.#turnBack(turn);
  }

  /** Does the present step, whose intent is journalled; `again`: it may have acted before. */
  async #do(again = false): Promise<Turn> {
    const step = this.#step;
    this.#again = again;
    if (this.#cancel.signal.aborted && this.#mayTurn) return { turn: 'back', error: this.#cancelError, skipOwn: !again };
    this.#mustHold();
    this.#options.log.debug({ operationId: this.#record.id, step: step.name }, 'step begins');
    const tried = await this.#timed('do', () => step.do(this.#context()));
    if (tried.outcome === 'done') return { turn: 'next', output: tried.value };
    this.settled = tried.outcome === 'unknown' ? tried.settled : undefined;
    this.#leaveIfAsked();
    const { error } = tried;
    await this.#write({}, [{ step: step.name, act: 'do', outcome: tried.outcome, detail: error.toJSON() }]);
    if (tried.outcome === 'failed') return this.#afterFailure(step, error);
    if (this.settled !== undefined) return { turn: 'stuck', error, reason: `${step.name}: the call has not ended` };
    return step.changes ? this.#afterUnknown(step, error) : this.#afterUnansweredLook(step, error);
  }

  #afterFailure(step: AnyStep, error: VbsError): Turn {
    if (step.onFailure === 'note') return this.#note(step, error);
    const mayHaveDestroyed = this.#again && step.changes && step.destroys === true;
    if (!this.#mayGoBack || mayHaveDestroyed) return { turn: 'stuck', error, reason: `${step.name}: ${error.message}` };
    const back = this.#cancel.signal.aborted ? this.#cancelError : error;
    const skipOwn = !step.changes || step.undo === 'irreversible' || error.code === 'ALREADY_EXISTS';
    return { turn: 'back', error: back, skipOwn, untouched: !this.#again };
  }

  /** Behind the point from which the operation goes forward, a look that nobody answered is made again later; before it, it goes back. */
  #afterUnansweredLook(step: AnyStep, error: VbsError): Turn {
    if (this.#record.step <= this.#commit || this.#commit < 0 || this.#cancel.signal.aborted) return this.#afterFailure(step, error);
    return { turn: 'stuck', error, reason: `${step.name}: ${error.message}` };
  }

  async #afterUnknown(step: AnyChangeStep, error: VbsError): Promise<Turn> {
    this.#mustHold();
    const seen = await look(step, this.#context('check'));
    this.#leaveIfAsked();
    if (seen.effect === 'present') {
      if (!seen.repeat) return { turn: 'next', output: seen.value };
      if (!this.#again) return this.#do(true);
    }
    if (step.onFailure === 'note') return this.#note(step, error);
    if (seen.effect === 'present') return { turn: 'stuck', error, reason: `${step.name}: ${error.message}` };
    if (seen.effect === 'unclear') return { turn: 'stuck', error, reason: `${step.name}: ${error.message}; ${seen.why}` };
    if (step.undo === 'irreversible' || !this.#mayGoBack) return { turn: 'stuck', error, reason: `${step.name}: ${error.message}` };
    return { turn: 'back', error: this.#cancel.signal.aborted ? this.#cancelError : error, skipOwn: false };
  }

  #note(step: AnyStep, error: VbsError): Turn {
    const earlier = Array.isArray(this.#record.output.remains) ? this.#record.output.remains : [];
    return { turn: 'next', output: { remains: [...earlier, `${step.name}: ${error.message}`] } };
  }

  /** Goes on with a step of which nobody knows how it ended: looks first (safety A4). */
  async #resume(): Promise<Turn> {
    const step = this.#step;
    const index = this.#record.step;
    const { recovery } = this.#workflow;
    const commit = this.#commit;
    const answered = this.#record.state === 'stuck';
    const forward = index > commit || !this.#mayGoBack || (step.changes && step.undo === 'irreversible');
    const interrupted =
      this.#record.error === null
        ? new VbsError('ABORTED', `interrupted at ${step.name} when the process that ran it ended`, { resource: this.#record.resourceId })
        : fromSerialized(this.#record.error);
    if (!step.changes) return forward ? this.#do(true) : { turn: 'back', error: interrupted, skipOwn: true };
    if (index < commit && !forward) return { turn: 'back', error: interrupted, skipOwn: false };
    this.#mustHold();
    const seen = await look(step, this.#context('check'));
    this.#leaveIfAsked();
    const tooLate = answered && recovery !== 'forward' && recovery.notAfterAnswer === true;
    if (seen.effect === 'present' && tooLate) return { turn: 'back', error: interrupted, skipOwn: false };
    if (seen.effect === 'present' && !seen.repeat) return { turn: 'next', output: seen.value };
    if (seen.effect === 'unclear' && step.onFailure !== 'note')
      return { turn: 'stuck', error: interrupted, reason: `${step.name}: ${seen.why}` };
    return forward ? this.#do(true) : { turn: 'back', error: interrupted, skipOwn: false };
  }

  async #turnBack({ error, skipOwn, untouched = false }: Extract<Turn, { turn: 'back' }>): Promise<void> {
    const step = this.#record.step - (skipOwn ? 1 : 0);
    await this.#write({ ...cleared, direction: 'back', state: 'running', error: error.toJSON(), step }, this.#undoIntents(step));
    await this.#back(true, untouched ? step : null);
  }

  /** Undoes the present step and all below it; a step counts as undone only when its check says absent (safety A2). */
  async #back(firstTry: boolean, untouched: number | null): Promise<void> {
    if (!firstTry && this.#record.state === 'stuck') await this.#write({ state: 'running' }, []);
    while (this.#record.step >= 0) {
      const step = this.#step;
      if (step.changes) {
        const stuck = await this.#undo(step, this.#record.step === untouched);
        if (stuck !== null) return this.#stuck(stuck);
      }
      const below = this.#record.step - 1;
      const undone: StepEntry[] = step.changes ? [{ step: step.name, act: 'undo', outcome: 'done' }] : [];
      if (below < 0) return this.#fail(undone);
      await this.#write({ step: below, attempts: 0 }, [...undone, ...this.#undoIntents(below)]);
    }
    await this.#fail([]);
  }

  async #undo(step: AnyChangeStep, isUntouched: boolean): Promise<Extract<Turn, { turn: 'stuck' }> | null> {
    const first = this.#firstError;
    const { undo } = step;
    if (undo === 'irreversible') throw new TypeError(`${this.#workflow.kind} went back over ${step.name}, which is irreversible`);
    this.#mustHold();
    const before = await look(step, this.#context('check'));
    this.#leaveIfAsked();
    if (before.effect === 'absent' && isUntouched) return null;
    // What was touched may be there in part, which an undo bears as it bears what is absent.
    if (before.effect === 'unclear' && (isUntouched || !before.answered))
      return { turn: 'stuck', error: first, reason: `undo of ${step.name}: ${before.why}` };
    // A check sees an effect that is whole: what was made of one in part, or is left of it, goes only by an undo that was answered.
    for (let tries = 1; ; tries++) {
      this.#mustHold();
      const tried = await this.#timed('undo', () => undo(this.#context()));
      this.settled = tried.outcome === 'unknown' ? tried.settled : undefined;
      this.#leaveIfAsked();
      if (tried.outcome !== 'done') {
        const { error } = tried;
        await this.#write({}, [{ step: step.name, act: 'undo', outcome: tried.outcome, detail: error.toJSON() }]);
        if (this.settled !== undefined) return { turn: 'stuck', error: first, reason: `undo of ${step.name}: the call has not ended` };
      }
      const after = await look(step, this.#context('check'));
      this.#leaveIfAsked();
      if (after.effect === 'absent' && tried.outcome !== 'unknown') return null;
      if (after.effect === 'absent' && tries < mostUndos) continue;
      const why = tried.outcome === 'done' ? 'its effect is still there' : tried.error.message;
      return { turn: 'stuck', error: first, reason: `undo of ${step.name}: ${why}` };
    }
  }

  async #stuck({ error, reason }: Extract<Turn, { turn: 'stuck' }>): Promise<void> {
    const attempts = this.#record.attempts + 1;
    const nextTryAt = this.#options.now() + this.#options.pauseMs(attempts);
    const told: SerializedError = this.#record.error ?? error.toJSON();
    this.#record = await this.#options.journal.write(this.#record, {
      patch: { state: 'stuck', reason, error: told, attempts, nextTryAt },
      also: async (tx) =>
        tx.emit({
          type: 'operation.stuck',
          resourceId: this.#record.resourceId,
          operationId: this.#record.id,
          data: { kind: this.#record.kind, reason },
        }),
    });
    this.#options.log.warn({ operationId: this.#record.id, kind: this.#record.kind, reason, attempts }, 'operation is stuck');
    this.#tellEnd('stuck');
  }

  async #succeed(done: StepEntry, output: Output): Promise<void> {
    this.#record = await this.#options.journal.end(this.#record, 'succeeded', {
      entries: [done],
      settle: async (tx) => ({ output, error: null, reason: null, result: await this.#workflow.succeed(tx, { ...this.#ending, output }) }),
    });
    this.#tellEnd('succeeded');
  }

  async #fail(entries: readonly StepEntry[]): Promise<void> {
    const error = this.#firstError.toJSON();
    this.#record = await this.#options.journal.end(this.#record, 'failed', {
      entries,
      settle: async (tx) => {
        await this.#workflow.fail(tx, this.#ending, error);
        return { error, reason: null };
      },
    });
    this.#tellEnd('failed');
  }

  /** An act of the present step, told to the observer when it has ended. */
  async #timed<T>(act: 'do' | 'undo', body: () => Promise<T>): Promise<Attempt<T>> {
    const startedAt = performance.now();
    const tried = await attempt(body);
    const { id: operationId, kind } = this.#record;
    const durationMs = performance.now() - startedAt;
    this.#options.observer.onStep({ operationId, kind, step: this.#step.name, act, outcome: tried.outcome, durationMs });
    return tried;
  }

  #tellEnd(state: OperationEnd['state']): void {
    const { id: operationId, kind, error, createdAt } = this.#record;
    const code = state === 'succeeded' ? null : (error?.code ?? 'INTERNAL');
    this.#options.observer.onOperation({ operationId, kind, state, code, durationMs: Math.max(this.#options.now() - createdAt, 0) });
  }

  async #write(patch: Partial<OperationRecord>, entries: readonly StepEntry[]): Promise<void> {
    this.#record = await this.#options.journal.write(this.#record, { patch, entries });
    this.#cancelIfRequested();
  }

  #cancelIfRequested({ cancelRequested } = this.#record): void {
    if (cancelRequested === 0 || this.#cancel.signal.aborted) return;
    this.cancel(new VbsError('ABORTED', 'the operation was cancelled', { resource: this.#record.resourceId }));
  }

  #undoIntents(step: number): StepEntry[] {
    const below = this.#steps[step];
    return below?.changes === true ? [{ step: below.name, act: 'undo', outcome: 'intended' }] : [];
  }

  get #step(): AnyStep {
    const step = this.#steps[this.#record.step];
    if (step === undefined) throw new TypeError(`operation ${this.#record.id} (${this.#record.kind}) has no step ${this.#record.step}`);
    return step;
  }

  /** No step below the present one is past taking back. */
  get #mayGoBack(): boolean {
    return this.#steps.slice(0, this.#record.step).every((step) => !step.changes || step.undo !== 'irreversible');
  }

  /** The operation may still turn back at the present step. */
  get #mayTurn(): boolean {
    const step = this.#step;
    return this.#mayGoBack && !(this.#again && step.changes && step.undo === 'irreversible');
  }

  /** The step from whose effect on an interrupted operation goes forward; -1 where it always does. */
  get #commit(): number {
    const { recovery } = this.#workflow;
    return recovery === 'forward' ? -1 : this.#steps.findIndex(({ name }) => name === recovery.forwardOnce);
  }

  get #firstError(): VbsError {
    return this.#record.error === null
      ? new VbsError('INTERNAL', 'the operation went back without a reason')
      : fromSerialized(this.#record.error);
  }

  get #cancelError(): VbsError {
    return this.#cancel.signal.reason as VbsError;
  }

  get #ending(): EndingOperation<unknown, Record<string, unknown>> {
    return { id: this.#record.id, params: this.#record.params, output: this.#record.output };
  }

  #context(act: 'change' | 'check' = 'change'): StepContext<unknown, Record<string, unknown>> {
    const { id, epoch, params, output, direction, step, doneBytes } = this.#record;
    // A roll-back is not cancelled: it is what a cancel asks for. Nor is a check: what a cancelled act has done must be seen. Nor what
    // cannot be taken back any more: it would be begun and cancelled for ever.
    const mayBeCancelled = direction === 'forward' && act === 'change' && this.#mayTurn;
    const signal = mayBeCancelled ? anySignal(this.#options.leave, this.#cancel.signal) : this.#options.leave;
    return {
      operationId: id,
      params,
      output,
      doneBytes: doneBytes ?? 0,
      call: { operationId: id, epoch, signal, log: this.#options.log, progress: (done, total) => this.#report(step, done, total) },
    };
  }

  /** A call that outlived its step reports to nobody. */
  #report(step: number, doneBytes: number, totalBytes: number): void {
    if (this.#record.step === step) this.#progress.report(doneBytes, totalBytes);
  }

  /** Before anything is asked outside: a process that was asleep may have lost the operation (safety B3). */
  #mustHold(): void {
    this.#leaveIfAsked();
    this.#options.requireHeld();
  }

  #leaveIfAsked(): void {
    if (this.#options.leave.aborted) throw new Fenced('this process lets go of the operation');
  }
}
