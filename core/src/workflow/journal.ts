import { inject, injectable } from '../di.js';
import { type SerializedError, VbsError } from '../errors.js';
import { nextEpoch } from '../metadata/database/store-identity.js';
import { drawId } from '../metadata/ids.js';
import { findLeaseConflict, insertLeases, type LeaseSet, releaseLeases } from '../metadata/leases.js';
import type { MetadataStore, StoreTransaction } from '../metadata/metadata-store.js';
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
  /** Existing resources that it reads or changes. */
  readonly leases: LeaseSet;
  readonly clientToken?: ClientToken;
  /** When it is cancelled, in milliseconds since 1970. */
  readonly deadlineAt?: number;
  /** In the transaction that takes the leases: looks whether the operation may be, and writes down what it claims. */
  prepare(
    tx: StoreTransaction,
    ids: { readonly operationId: string; readonly newId: string },
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
  readonly patch: Partial<OperationRecord>;
  readonly entries?: readonly StepEntry[];
  also?(tx: StoreTransaction): Promise<void>;
}

/** Writes the journal. Every write needs this process's lease and the operation's epoch; without them it throws Fenced. */
@injectable
export class Journal {
  readonly #store: MetadataStore;
  readonly #lease: ProcessLease;
  readonly #newId: () => string;

  constructor(
    @inject(workflowTokens.metadata) store: MetadataStore,
    @inject(workflowTokens.lease) lease: ProcessLease,
    @inject(workflowTokens.newId) newId: () => string,
  ) {
    this.#store = store;
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
    this.#lease.requireHeld();
    return this.#store.transaction(async (tx) => {
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
    const id = await drawId(trx, 'operation', this.#newId, now);
    const newId = plan.creates === undefined ? '' : await drawId(trx, plan.creates, this.#newId, now);
    const { resourceId, params } = await plan.prepare(tx, { operationId: id, newId });
    const [first] = workflow.steps(params);
    if (first === undefined) throw new TypeError(`workflow ${workflow.kind} has no steps`);
    await operations.insert(trx, {
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
    return readOperation(tx, id);
  }

  /** Takes over an operation: a higher epoch, this process as its owner. Null when it has ended, or its owner is another than expected. */
  adopt(id: string, expectedOwner: string): Promise<OperationRecord | null> {
    this.#lease.requireHeld();
    return this.#store.transaction(async (tx) => {
      const epoch = await nextEpoch(tx.trx);
      const patch = { owner: this.#lease.processId, epoch, updatedAt: tx.now };
      return (await operations.updateIf(tx.trx, id, { owner: expectedOwner }, patch)) ? readOperation(tx, id) : null;
    });
  }

  /** Writes where an operation stands. */
  write(record: OperationRecord, change: Change): Promise<OperationRecord> {
    this.#lease.requireHeld();
    return this.#store.transaction(async (tx) => {
      const { id, owner, epoch } = record;
      const held = await operations.updateIf(tx.trx, id, { owner, epoch }, { ...change.patch, updatedAt: tx.now });
      if (!held) throw new Fenced(`operation ${id} was taken over`);
      await insertSteps(tx.trx, id, change.entries ?? [], tx.now);
      await change.also?.(tx);
      return readOperation(tx, id);
    });
  }

  /** Ends an operation: its last entries, what its end means, its leases given back. */
  end(
    record: OperationRecord,
    state: 'succeeded' | 'failed',
    change: { readonly entries: readonly StepEntry[]; settle(tx: StoreTransaction): Promise<Partial<OperationRecord>> },
  ): Promise<OperationRecord> {
    return this.write(record, {
      patch: {},
      entries: change.entries,
      also: async (tx) => {
        const ended = await change.settle(tx);
        await operations.update(tx.trx, record.id, { ...ended, state, owner: null, nextTryAt: null });
        await releaseLeases(tx.trx, record.id);
        const error: SerializedError | null = ended.error ?? null;
        tx.emit({
          type: `operation.${state}`,
          resourceId: record.resourceId,
          operationId: record.id,
          data: { kind: record.kind, ...(error === null ? {} : { code: error.code, message: error.message }) },
        });
      },
    });
  }
}

async function readOperation(tx: StoreTransaction, id: string): Promise<OperationRecord> {
  const record = await operations.get(tx.trx, id);
  if (record === null) throw new TypeError(`operation ${id} is not in the journal`);
  return record;
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
