import type { Attachment, Operation, Pool, Snapshot, Volume } from '@vbs/schemas';
import type { Logger } from '../contract/call.js';
import type { ChapCredentials } from '../contract/connection.js';
import { type ListedRoute, listRoutes } from '../delegate/routes.js';
import { VbsError } from '../errors.js';
import { type Activity, countActivity } from '../metadata/activity.js';
import { attachments } from '../metadata/attachments.js';
import type { StoreEvent } from '../metadata/events.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { type OperationRecord, operations } from '../metadata/operations.js';
import type { Page } from '../metadata/page.js';
import { snapshots } from '../metadata/snapshots.js';
import { volumes } from '../metadata/volumes.js';
import { isId, requireId } from '../model/ids.js';
import { requireFields } from '../model/text.js';
import { type OperationPlan, ResourceBusy } from '../workflow/journal.js';
import { type OperationEngine, resultOf } from '../workflow/operation-engine.js';
import type { Workflow } from '../workflow/workflow.js';
import { planAdoptOrphan } from './adopt-orphan.js';
import type { GivenCredentials } from './attachment-credentials.js';
import { type CallOptions, journalOptions, waitOptions } from './call-options.js';
import { checkInstances } from './check-instances.js';
import { describePools } from './describe-pools.js';
import type { EventFeed } from './event-feed.js';
import { firstCall } from './first-call.js';
import { type AttachVolumeRequest, planAttachVolume } from './plans/plan-attach-volume.js';
import { type CreateSnapshotRequest, planCreateSnapshot } from './plans/plan-create-snapshot.js';
import { type CreateVolumeRequest, planCreateVolume } from './plans/plan-create-volume.js';
import { type DeleteSnapshotRequest, planDeleteSnapshot } from './plans/plan-delete-snapshot.js';
import { type DeleteVolumeRequest, planDeleteVolume } from './plans/plan-delete-volume.js';
import { type DetachVolumeRequest, planDetachVolume, requireDetachable } from './plans/plan-detach-volume.js';
import { type ExtendVolumeRequest, planExtendVolume } from './plans/plan-extend-volume.js';
import { planResetState, type ResetStateRequest } from './plans/plan-reset-state.js';
import type { PlanServices } from './plans/plan-services.js';
import type { PoolEpochs } from './pool-epochs.js';
import type { DescribeRequest, JournalEntry, Queries } from './queries.js';
import type { ReconcileReport, ReconcileRequest, Reconciler } from './reconcile.js';
import { viewAttachments, viewSnapshot, viewVolume } from './views.js';
import type { Workflows } from './workflows.js';

export interface BlockStoreServices {
  readonly metadata: MetadataStore;
  readonly engine: OperationEngine;
  readonly workflows: Workflows;
  readonly plan: PlanServices;
  readonly queries: Queries;
  readonly events: EventFeed;
  readonly reconciler: Reconciler;
  readonly poolEpochs: PoolEpochs;
  readonly now: () => number;
  readonly log: Logger;
  readonly attachmentCredentials: (attachmentId: string) => Promise<GivenCredentials>;
  /** Looks for operations that are due; those that are named even if they are not. */
  readonly recover: (operationIds: readonly string[]) => Promise<void>;
  /** Begins what a store that only reads does not do: recovery, and the restoring of attachments. */
  readonly beginWork: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The kinds of operation that a forced detach ends where they stand: those that are about a volume's place in a VM. */
const givenUpForDetach: ReadonlySet<string> = new Set(['attach-volume', 'detach-volume', 'restore-attachment', 'extend-volume']);

/** How one operation answers: its resource, read from the metadata, while it still runs. */
type Look<T> = (record: OperationRecord) => Promise<T>;

/**
 * The Virtual Block Store: the eight operations of the paper, extend-volume, and what operators need. Every operation is journalled
 * before it acts, survives this process, and takes {@link CallOptions}.
 */
export class BlockStore implements AsyncDisposable {
  readonly #services: BlockStoreServices;
  #closed = false;

  constructor(services: BlockStoreServices) {
    this.#services = services;
  }

  /** Makes a volume, empty or from a snapshot. Answers it as `pending`, or with `wait` as `available`. */
  async createVolume(request: CreateVolumeRequest, options: CallOptions = {}): Promise<Volume> {
    const { plan, workflows } = this.#services;
    return this.#operate(
      workflows.createVolume,
      () => planCreateVolume(plan, workflows.createVolume, request),
      request,
      options,
      (record) => this.#lookVolume(record),
    );
  }

  /** @throws FAILED_PRECONDITION: it is attached, or snapshots need it. */
  async deleteVolume(request: DeleteVolumeRequest, options: CallOptions = {}): Promise<void> {
    const { plan, workflows } = this.#services;
    await this.#operate(
      workflows.deleteVolume,
      async () => planDeleteVolume(plan, workflows.deleteVolume, request),
      request,
      options,
      async () => null,
    );
  }

  /** Grows a volume, also under a running guest; ends when every guest's size is verified. */
  async extendVolume(request: ExtendVolumeRequest, options: CallOptions = {}): Promise<Volume> {
    const { plan, workflows } = this.#services;
    return this.#operate(
      workflows.extendVolume,
      async () => planExtendVolume(plan, workflows.extendVolume, request),
      request,
      options,
      (record) => this.#lookVolume(record),
    );
  }

  /** Takes a snapshot: the volume's content at one instant before the answer that it is `completed`. */
  async createSnapshot(request: CreateSnapshotRequest, options: CallOptions = {}): Promise<Snapshot> {
    const { plan, workflows, metadata } = this.#services;
    return this.#operate(
      workflows.createSnapshot,
      async () => planCreateSnapshot(plan, workflows.createSnapshot, request),
      request,
      options,
      async ({ resourceId }) => {
        const record = await snapshots.get(metadata.db, resourceId);
        if (record === null) throw new VbsError('NOT_FOUND', `the snapshot ${resourceId} is gone again`, { resource: resourceId });
        return viewSnapshot(record);
      },
    );
  }

  async deleteSnapshot(request: DeleteSnapshotRequest, options: CallOptions = {}): Promise<void> {
    const { workflows } = this.#services;
    await this.#operate(
      workflows.deleteSnapshot,
      async () => planDeleteSnapshot(workflows.deleteSnapshot, request),
      request,
      options,
      async () => null,
    );
  }

  /** Brings a volume into a VM. Answers the attachment as `attaching`, or with `wait` as `attached`. */
  async attachVolume(request: AttachVolumeRequest, options: CallOptions = {}): Promise<Attachment> {
    const { plan, workflows } = this.#services;
    return this.#operate(
      workflows.attachVolume,
      () => planAttachVolume(plan, workflows.attachVolume, request),
      request,
      options,
      (record) => this.#lookAttachment(record),
    );
  }

  /**
   * Takes a volume out of a VM.
   * @throws FAILED_PRECONDITION: the guest has not let go (`context.reason` is `guest-busy`); where the request cannot be taken
   * back, the attachment stays `detaching` and is completed when the guest lets go.
   */
  async detachVolume(request: DetachVolumeRequest, options: CallOptions = {}): Promise<Attachment> {
    const { plan, workflows } = this.#services;
    return this.#operate(
      workflows.detachVolume,
      async () => {
        const detach = planDetachVolume(plan, workflows.detachVolume, request);
        if (request.force === true) {
          await requireDetachable(this.#services.plan, request);
          await this.#giveUpStuckHolder(request.volumeId);
        }
        return detach;
      },
      request,
      options,
      (record) => this.#lookAttachment(record),
    );
  }

  /** Brings a volume out of `error`, once it is proved that no export, session or device of it is left. */
  async resetState(request: ResetStateRequest, options: CallOptions = {}): Promise<Volume> {
    const { workflows, metadata } = this.#services;
    await this.#operate(
      workflows.resetState,
      async () => planResetState(workflows.resetState, request),
      request,
      options,
      async () => null,
    );
    return viewVolume(metadata.db, await this.#requireVolume(request.volumeId));
  }

  describeVolumes(request?: DescribeRequest): Promise<Page<Volume>> {
    return this.#services.queries.volumes(request);
  }

  describeSnapshots(request?: DescribeRequest): Promise<Page<Snapshot>> {
    return this.#services.queries.snapshots(request);
  }

  describeAttachments(request?: DescribeRequest & { readonly volumeId?: string }): Promise<Page<Attachment>> {
    return this.#services.queries.attachments(request);
  }

  describeOperations(request?: DescribeRequest & { readonly resourceId?: string }): Promise<Page<Operation>> {
    return this.#services.queries.operations(request);
  }

  /** What an operation has done, step by step. */
  async describeJournal(operationId: string): Promise<readonly JournalEntry[]> {
    return this.#services.queries.journal(requireId('operation', operationId, 'operationId'));
  }

  /** What happened after the event of that sequence, or from now on, for as long as somebody listens. */
  events(options: { readonly after?: number; readonly signal?: AbortSignal } = {}): AsyncIterable<StoreEvent> {
    return this.#services.events.follow(options);
  }

  /** Waits until an operation has ended. @throws its error, when it failed or is stuck. */
  async waitForOperation(operationId: string, options: Pick<CallOptions, 'signal' | 'onProgress'> = {}): Promise<Operation> {
    resultOf(await this.#services.engine.wait(requireId('operation', operationId, 'operationId'), waitOptions(options)));
    return this.#operation(operationId);
  }

  /** Tries a stuck operation now, and answers how it stands then. `signal` ends the waiting, never the operation. */
  async retryOperation(operationId: string, options: Pick<CallOptions, 'signal'> = {}): Promise<Operation> {
    const { engine, recover, poolEpochs } = this.#services;
    poolEpochs.requireCurrent();
    const before = await this.#operation(requireId('operation', operationId, 'operationId'));
    if (before.state === 'stuck') {
      await engine.requireIdle(operationId, 'retried');
      await recover([operationId]);
      await engine.wait(operationId, waitOptions(options));
    }
    return this.#operation(operationId);
  }

  /** Gives up a stuck operation; its resource becomes `error`, and reset-state or a delete is the way on. */
  async abandonOperation(operationId: string): Promise<Operation> {
    this.#services.poolEpochs.requireCurrent();
    await this.#services.engine.abandon(requireId('operation', operationId, 'operationId'), `operation ${operationId} was abandoned`);
    return this.#operation(operationId);
  }

  /** Asks a running operation to go back, as far as it still may. */
  async cancelOperation(operationId: string): Promise<void> {
    this.#services.poolEpochs.requireCurrent();
    await this.#services.engine.cancel(requireId('operation', operationId, 'operationId'));
  }

  /**
   * Compares the metadata with the outside, and does what it is asked to (safety D2).
   * @throws FAILED_PRECONDITION: the store only reads, and is not told to accept that it is older than its pools.
   */
  async reconcile(request: ReconcileRequest = {}): Promise<ReconcileReport> {
    requireFields(request, ['repair', 'accept', 'adopt', 'delete']);
    this.#requireOpen();
    const { reconciler, poolEpochs, beginWork } = this.#services;
    if (request.accept === true && (await poolEpochs.accept())) await beginWork();
    if (request.repair === true || request.adopt !== undefined || request.delete !== undefined) poolEpochs.requireCurrent();
    if (request.adopt !== undefined) await this.#adopt(request.adopt, 'adopt');
    if (request.delete !== undefined) {
      await this.#adopt(request.delete, 'delete');
      if (isId('volume', request.delete)) await this.deleteVolume({ volumeId: request.delete }, { wait: true });
      else await this.deleteSnapshot({ snapshotId: request.delete }, { wait: true });
    }
    return reconciler.reconcile({ repair: request.repair === true });
  }

  /** The route from each backend to each VMM node, or why there is none. */
  listRoutes(): readonly ListedRoute[] {
    return listRoutes(this.#services.plan.instances.delegates);
  }

  /**
   * The CHAP user and password of a live attachment's export, for whoever connects to it by itself (safety E5). That they were given
   * out is logged.
   * @throws NOT_FOUND. FAILED_PRECONDITION: the attachment is detached. UNSUPPORTED: its exporter has no chap.
   */
  async attachmentCredentials(attachmentId: string): Promise<ChapCredentials> {
    this.#requireOpen();
    const { attachmentCredentials, log } = this.#services;
    const { exportId, credentials } = await attachmentCredentials(requireId('attachment', attachmentId, 'attachmentId'));
    log.info({ attachmentId, exportId }, 'the credentials of an attachment were given out');
    return credentials;
  }

  /** What every backend's pool has and may do, asked now; one that does not answer says why. */
  describePools(): Promise<readonly Pool[]> {
    const { instances, lookCall } = this.#services.plan;
    return describePools(instances, lookCall());
  }

  /** What is going on now: open exports by exporter, and operations that run or are stuck, by kind. */
  describeActivity(): Promise<Activity> {
    return countActivity(this.#services.metadata.db);
  }

  /**
   * What the instances miss (tools, daemons, permissions), a sentence each, by instance name; none is missing where the list is empty.
   * An instance whose check fails, or takes longer than `limitMs` (15,000 unless told), has that as its fault.
   */
  async check({ limitMs = 15_000 }: { readonly limitMs?: number } = {}): Promise<ReadonlyMap<string, readonly string[]>> {
    const { instances, lookCall } = this.#services.plan;
    const faults = new Map(await checkInstances(instances, lookCall(), limitMs));
    const { staleness } = this.#services.poolEpochs;
    if (staleness !== null) faults.set(staleness.pool, [...(faults.get(staleness.pool) ?? []), staleness.message]);
    return faults;
  }

  /** Takes no new work, lets what runs end or journals where it stands, closes exports and connections; within 10 s. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#services.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #operate<P, O extends object, T>(
    { kind }: Workflow<P, O>,
    makePlan: () => Promise<OperationPlan<P, O>>,
    request: unknown,
    options: CallOptions,
    look: Look<T>,
  ): Promise<T> {
    const { engine, metadata, now, poolEpochs } = this.#services;
    this.#requireOpen();
    const journalled = journalOptions(options, request, now());
    const { clientToken } = journalled;
    poolEpochs.requireCurrent();
    const first = clientToken === undefined ? null : await firstCall(metadata.db, kind, clientToken, now());
    const { record, repeated } =
      first === null
        ? await engine.begin({ ...(await makePlan()), ...journalled }, { wait: options.ifBusy === 'wait', signal: options.signal })
        : { record: first, repeated: true };
    options.onOperation?.(record.id);
    if (options.wait === true) return resultOf(await engine.wait(record.id, waitOptions(options))) as T;
    return repeated && record.state !== 'running' ? (resultOf(record) as T) : look(record);
  }

  #requireOpen(): void {
    if (this.#closed) throw new VbsError('UNAVAILABLE', 'the store is closed, or closes; open it again');
  }

  /** A stuck operation takes nothing but a forced detach beside it (safety A2). */
  async #giveUpStuckHolder(id: string): Promise<void> {
    const { metadata } = this.#services;
    const holders = await operations.list(metadata.db, (query) =>
      query.whereIn('id', metadata.db('leases').where({ resource_id: id }).select('operation_id')),
    );
    for (const { id: holder, kind, state, error } of holders) {
      if (state !== 'stuck' || !givenUpForDetach.has(kind)) throw new ResourceBusy(id, holder);
      await this.#services.engine.abandon(holder, `given up for a forced detach: ${error?.message ?? 'stuck'}`);
    }
  }

  async #adopt(id: string, field: 'adopt' | 'delete'): Promise<void> {
    const { engine, workflows } = this.#services;
    const { record } = await engine.begin(planAdoptOrphan(workflows.adoptOrphan, id, field), { wait: false });
    resultOf(await engine.wait(record.id));
  }

  async #lookVolume({ resourceId }: OperationRecord): Promise<Volume> {
    return viewVolume(this.#services.metadata.db, await this.#requireVolume(resourceId));
  }

  async #requireVolume(id: string) {
    const record = await volumes.get(this.#services.metadata.db, id);
    if (record === null) throw new VbsError('NOT_FOUND', `the volume ${id} is gone again`, { resource: id });
    return record;
  }

  async #lookAttachment({ resourceId }: OperationRecord): Promise<Attachment> {
    const { db } = this.#services.metadata;
    const record = await attachments.get(db, resourceId);
    const [view] = record === null ? [] : await viewAttachments(db, [record]);
    if (view === undefined) throw new VbsError('NOT_FOUND', `the attachment ${resourceId} is gone again`, { resource: resourceId });
    return view;
  }

  async #operation(operationId: string): Promise<Operation> {
    const { items } = await this.#services.queries.operations({ ids: [operationId] });
    const [operation] = items;
    if (operation === undefined) throw new TypeError('a describe by id answered nothing');
    return operation;
  }
}
