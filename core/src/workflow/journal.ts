import { inject, injectable } from '../di.js';
import { VbsError } from '../errors.js';
import { nextEpoch } from '../metadata/database/store-identity.js';
import { drawIds } from '../metadata/ids.js';
import { findLeaseConflict, insertLeases, type LeaseSet, releaseLeases } from '../metadata/leases.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { insertSteps, type OperationRecord, operations, type StepEntry } from '../metadata/operations.js';
import type { IdKind } from '../model/ids.js';
import { Fenced } from './fenced.js';
import type { ProcessLease } from './process-lease.js';
import { workflowTokens } from './tokens.js';
import type { Workflow } from './workflow.js';

/** How long a client token stands for its first call. */
export const tokenLifeMs = 24 * 60 * 60 * 1000;

export interface ClientToken {
  readonly token: string;
  /** A hash of the request: the same token with another one is refused. */
  readonly fingerprint: string;
}

/** An operation about to be journalled. */
export interface OperationPlan<P, O extends object> {
  readonly workflow: Workflow<P, O>;
  /** The kind of resource that it makes; its id is drawn, and leased, with the operation. */
  readonly creates?: IdKind;
  /** The kinds of other ids that `prepare` needs, of things that only this operation knows. */
  readonly draws?: readonly IdKind[];
  /** Existing resources that it reads or changes. */
  readonly leases: LeaseSet;
  readonly clientToken?: ClientToken;
  /** When it is cancelled, in milliseconds since 1970. */
  readonly deadlineAt?: number;
  /** In the transaction that takes the leases: looks whether the operation may be, and writes down what it claims. */
  prepare(
    tx: StoreTransaction,
    ids: { readonly operationId: string; readonly newId: string; readonly drawnIds: readonly string[] },
  ): Promise<{ readonly resourceId: string; readonly params: P }>;
}

export interface BegunOperation {
  readonly record: OperationRecord;
  /** The client token stands for an earlier call, whose operation this is. */
  readonly repeated: boolean;
}

/** Another operation holds what this one needs. */
export class ResourceBusy extends VbsError {
  constructor(
    resourceId: string,
    /** The operation that holds it. */
    readonly holder: string,
  ) {
    super('ABORTED', `operation ${holder} holds ${resourceId}; try again when it has ended, or ask to wait for it`, {
      resource: resourceId,
      context: { operationId: holder },
    });
  }
}

/** What a change of an operation writes beside the operation itself. */
interface Change {
  /** What becomes of the operation, or how that is found out in the same transaction. */
  readonly patch: Partial<OperationRecord> | ((tx: StoreTransaction) => Promise<Partial<OperationRecord>>);
  readonly entries?: readonly StepEntry[];
  also?(tx: StoreTransaction, written: OperationRecord): Promise<void>;
}

/** Writes the journal. Every write needs this process's lease and the operation's epoch; without them it throws Fenced. */
@injectable
export class Journal {
  readonly #lease: ProcessLease;
  readonly #newId: () => string;

  constructor(@inject(workflowTokens.lease) lease: ProcessLease, @inject(workflowTokens.newId) newId: () => string) {
    this.#lease = lease;
    this.#newId = newId;
  }

  /**
   * Begins an operation: leases, epoch, claims, and the intent of its first step, in one transaction. Answers the operation of
   * an earlier call with the same client token instead, where there is one. `born` is told the new operation's id before
   * anybody can find it in the journal.
   * @throws ResourceBusy. ALREADY_EXISTS: the token was used with another request.
   */
  begin<P, O extends object>(plan: OperationPlan<P, O>, born: (id: string) => void = () => undefined): Promise<BegunOperation> {
    return this.#lease.transaction(async (tx) => {
      const earlier = await operationOfToken(tx, plan.workflow.kind, plan.clientToken);
      if (earlier !== null) return { record: earlier, repeated: true };
      const record = await this.#insert(tx, plan);
      born(record.id);
      return { record, repeated: false };
    });
  }

  async #insert<P, O extends object>(tx: StoreTransaction, plan: OperationPlan<P, O>): Promise<OperationRecord> {
    const { trx, now } = tx;
    const { workflow, clientToken } = plan;
    const conflict = await findLeaseConflict(trx, plan.leases);
    if (conflict !== null) throw new ResourceBusy(conflict.resourceId, conflict.operationId);
    const creates = plan.creates === undefined ? [] : [plan.creates];
    const [id, ...others] = await drawIds(trx, ['operation', ...creates, ...(plan.draws ?? [])], this.#newId, now);
    const [newId = ''] = others.slice(0, creates.length);
    const { resourceId, params } = await plan.prepare(tx, { operationId: id, newId, drawnIds: others.slice(creates.length) });
    const [first] = workflow.steps(params);
    if (first === undefined) throw new TypeError(`workflow ${workflow.kind} has no steps`);
    const record = await operations.insert(trx, {
      id,
      kind: workflow.kind,
      state: 'running',
      resourceId,
      params,
      instances: workflow.instances(params),
      direction: 'forward',
      step: 0,
      output: {},
      result: null,
      error: null,
      reason: null,
      owner: this.#lease.processId,
      epoch: await nextEpoch(trx),
      clientToken: clientToken?.token ?? null,
      fingerprint: clientToken?.fingerprint ?? null,
      cancelRequested: 0,
      deadlineAt: plan.deadlineAt ?? null,
      attempts: 0,
      nextTryAt: null,
      doneBytes: null,
      totalBytes: null,
      createdAt: now,
      updatedAt: now,
    });
    await insertLeases(trx, id, newId === '' ? plan.leases : { ...plan.leases, [newId]: 'exclusive' });
    await insertSteps(trx, id, [{ step: first.name, act: 'do', outcome: 'intended' }], now);
    tx.emit({ type: 'operation.started', resourceId, operationId: id, data: { kind: workflow.kind } });
    return record;
  }

  /** Takes over an operation: a higher epoch, this process as its owner. Null when it has ended, or its owner is another than expected. */
  adopt(id: string, expectedOwner: string): Promise<OperationRecord | null> {
    return this.#lease.transaction(async (tx) => {
      const epoch = await nextEpoch(tx.trx);
      const patch = { owner: this.#lease.processId, epoch, updatedAt: tx.now };
      return operations.updateIf(tx.trx, id, { owner: expectedOwner }, patch);
    });
  }

  /** Writes where an operation stands. @throws Fenced: another process took it over; nothing of the change was made. */
  write(record: OperationRecord, { patch, entries = [], also }: Change): Promise<OperationRecord> {
    return this.#lease.transaction(async (tx) => {
      const changed = typeof patch === 'function' ? await settled(tx, record, patch) : patch;
      const written = await writeHeld(tx, record, changed);
      await insertSteps(tx.trx, record.id, entries, tx.now);
      await also?.(tx, written);
      return written;
    });
  }

  /** Ends an operation: its last entries, what its end means, its leases given back. */
  end(
    record: OperationRecord,
    state: 'succeeded' | 'failed',
    change: { readonly entries: readonly StepEntry[]; settle(tx: StoreTransaction): Promise<Partial<OperationRecord>> },
  ): Promise<OperationRecord> {
    return this.write(record, {
      patch: async (tx) => ({ ...(await change.settle(tx)), state, owner: null, nextTryAt: null }),
      entries: change.entries,
      also: async (tx, { id, kind, resourceId, error }) => {
        await releaseLeases(tx.trx, id);
        const told = state === 'succeeded' || error === null ? {} : { code: error.code, message: error.message };
        tx.emit({ type: `operation.${state}`, resourceId, operationId: id, data: { kind, ...told } });
      },
    });
  }
}

/** What is wrong with the metadata may be that another process ended the operation meanwhile: that is told then. */
function settled(
  tx: StoreTransaction,
  record: OperationRecord,
  settle: (tx: StoreTransaction) => Promise<Partial<OperationRecord>>,
): Promise<Partial<OperationRecord>> {
  return settle(tx).catch(async (error: unknown) => {
    await writeHeld(tx, record, {});
    throw error;
  });
}

/** Changes an operation that this process still has as it knows it, else nothing of the transaction holds. @throws Fenced */
async function writeHeld(
  { trx, now }: StoreTransaction,
  { id, owner, epoch }: OperationRecord,
  patch: Partial<OperationRecord>,
): Promise<OperationRecord> {
  const written = await operations.updateIf(trx, id, { owner, epoch }, { ...patch, updatedAt: now });
  if (written === null) throw new Fenced(`operation ${id} was taken over`);
  return written;
}

async function operationOfToken(tx: StoreTransaction, kind: string, clientToken: ClientToken | undefined): Promise<OperationRecord | null> {
  if (clientToken === undefined) return null;
  const { token, fingerprint } = clientToken;
  const [earlier] = await operations.list(tx.trx, (query) => query.where({ kind, client_token: token }));
  if (earlier === undefined) return null;
  if (earlier.createdAt < tx.now - tokenLifeMs) {
    await operations.update(tx.trx, earlier.id, { clientToken: null });
    return null;
  }
  if (earlier.fingerprint === fingerprint) return earlier;
  throw new VbsError('ALREADY_EXISTS', `the client token was used for another ${kind} request; use a new token for a new request`, {
    resource: earlier.resourceId,
    context: { field: 'clientToken', operationId: earlier.id },
  });
}
