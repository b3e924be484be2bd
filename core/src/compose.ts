import { setMaxListeners } from 'node:events';
import { closeInOrder } from './close-in-order.js';
import type { Call } from './contract/call.js';
import type { Delegates } from './delegate/delegate.js';
import type { DelegateServices } from './delegate/open-delegates.js';
import { type Container, createContainer } from './di.js';
import type { Machine } from './machine/machine.js';
import { isKnownDead } from './machine/process-identity.js';
import type { Database } from './metadata/database/open-database.js';
import { MetadataStore } from './metadata/metadata-store.js';
import type { OperationRecord } from './metadata/operations.js';
import { workflowObserver } from './observer.js';
import { attachmentCredentials } from './operations/attachment-credentials.js';
import { BlockStore } from './operations/block-store.js';
import type { ChapSecrets } from './operations/chap-secrets.js';
import { EventFeed } from './operations/event-feed.js';
import { Housekeeper } from './operations/housekeeper.js';
import { Instances } from './operations/instances.js';
import { NodeIdentities } from './operations/node-identities.js';
import type { PlanServices } from './operations/plans/plan-services.js';
import { PoolEpochs } from './operations/pool-epochs.js';
import { Queries } from './operations/queries.js';
import { Reconciler } from './operations/reconcile.js';
import { Restorer } from './operations/restorer.js';
import { createWorkflows, type Workflows } from './operations/workflows.js';
import type { Services } from './services.js';
import { tokens } from './tokens.js';
import { Journal } from './workflow/journal.js';
import { OperationEngine } from './workflow/operation-engine.js';
import { OtherProcesses } from './workflow/other-processes.js';
import { type ProcessEntry, ProcessLease } from './workflow/process-lease.js';
import { Recovery } from './workflow/recovery.js';
import { defaultTimes, type StoreTimes } from './workflow/store-times.js';
import type { Workflow } from './workflow/workflow.js';

/** What tests may replace beside an embedder's services. */
export interface StoreOverrides {
  readonly times?: Partial<StoreTimes>;
  readonly layers?: Pick<DelegateServices, 'graceMs' | 'retry' | 'onCall' | 'openLimitMs' | 'closeLimitMs'>;
  /** Registers services in place of the core's own, before any is made. */
  readonly register?: (container: Container) => void;
}

export interface Parts {
  readonly services: Services;
  readonly overrides: StoreOverrides;
  readonly database: Database;
  readonly delegates: Delegates;
  readonly chap: ChapSecrets;
  /** Ends the connections to other machines, where the store made them. */
  readonly closeMachines: () => Promise<void>;
  readonly process: ProcessEntry;
}

export interface ComposedStore {
  readonly blockStore: BlockStore;
  /** Takes the process's lease, takes up what an earlier process left, and puts attachments back. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Puts one store together: every service a singleton of the store's own container. */
export function compose(parts: Parts): ComposedStore {
  const container = createContainer();
  registerParts(container, parts);
  registerCore(container);
  parts.overrides.register?.(container);
  const lease = container.resolve(tokens.lease);
  return {
    blockStore: container.resolve(tokens.blockStore),
    async start() {
      await lease.start();
      const poolEpochs = container.resolve(tokens.poolEpochs);
      await poolEpochs.start();
      if (poolEpochs.isCurrent) await beginWork(container);
    },
    close: () => closeOnce(container),
  };
}

const working = new WeakSet<Container>();

/** Takes up what an earlier process left, and puts attachments back; once. */
async function beginWork(container: Container): Promise<void> {
  if (working.has(container)) return;
  working.add(container);
  await container.resolve(tokens.recovery).start();
  await container.resolve(tokens.restorer).start();
  container.resolve(tokens.housekeeper).start();
}

function registerParts(container: Container, { services, overrides, database, delegates, chap, closeMachines, process }: Parts): void {
  container.register(tokens.clock, { useValue: services.clock });
  container.register(tokens.newId, { useValue: services.newId });
  container.register(tokens.logger, { useValue: services.logger });
  container.register(tokens.machines, { useValue: services.machines });
  container.register(tokens.observer, { useValue: services.observer });
  container.register(tokens.placement, { useValue: services.placement });
  container.register(tokens.database, { useValue: database });
  container.register(tokens.delegates, { useValue: delegates });
  container.register(tokens.chap, { useValue: chap });
  container.register(tokens.closeMachines, { useValue: closeMachines });
  container.register(tokens.process, { useValue: process });
  container.register(tokens.times, { useValue: { ...defaultTimes, ...overrides.times } });
  const closed = new AbortController();
  // Of every look and stream that goes on at this moment.
  setMaxListeners(0, closed.signal);
  container.register(tokens.closed, { useValue: closed });
}

function registerCore(container: Container): void {
  container.register(tokens.metadata, { useClass: MetadataStore });
  container.register(tokens.lease, { useClass: ProcessLease });
  container.register(tokens.journal, { useClass: Journal });
  container.register(tokens.others, {
    useFactory: (from) => new OtherProcesses(from.resolve(tokens.metadata), from.resolve(tokens.lease), isKnownDead),
  });
  container.register(tokens.instances, { useFactory: (from) => new Instances(from.resolve(tokens.delegates)) });
  container.register(tokens.workflows, {
    useFactory: (from) => createWorkflows(from.resolve(tokens.instances), from.resolve(tokens.chap)),
  });
  container.register(tokens.engine, {
    useFactory: (from) => {
      const clock = from.resolve(tokens.clock);
      return new OperationEngine(from.resolve(tokens.metadata), from.resolve(tokens.journal), from.resolve(tokens.lease), {
        workflows: workflowList(from.resolve(tokens.workflows)),
        log: from.resolve(tokens.logger),
        now: () => clock.now(),
        times: from.resolve(tokens.times),
        others: from.resolve(tokens.others),
        settleGuards: guardSettler(from.resolve(tokens.delegates), from.resolve(tokens.workflows)),
        observer: workflowObserver(from.resolve(tokens.observer), from.resolve(tokens.logger)),
      });
    },
  });
  container.register(tokens.recovery, {
    useFactory: (from) => {
      const clock = from.resolve(tokens.clock);
      const instances = from.resolve(tokens.instances);
      const poolEpochs = from.resolve(tokens.poolEpochs);
      return new Recovery(
        from.resolve(tokens.metadata),
        from.resolve(tokens.journal),
        from.resolve(tokens.engine),
        from.resolve(tokens.lease),
        {
          scanMs: from.resolve(tokens.times).scanMs,
          now: () => clock.now(),
          log: from.resolve(tokens.logger),
          others: from.resolve(tokens.others),
          canServe: (names) => poolEpochs.isCurrent && instances.canServe(names),
        },
      );
    },
  });
  container.register(tokens.planServices, {
    useFactory: (from): PlanServices => ({
      store: from.resolve(tokens.metadata),
      instances: from.resolve(tokens.instances),
      identities: new NodeIdentities(from.resolve(tokens.instances), from.resolve(tokens.metadata).db),
      placement: from.resolve(tokens.placement),
      newId: from.resolve(tokens.newId),
      lookCall: () => lookCall(from.resolve(tokens.closed).signal, from.resolve(tokens.logger)),
    }),
  });
  container.register(tokens.poolEpochs, {
    useFactory: (from) => {
      const { store, instances, lookCall: look } = from.resolve(tokens.planServices);
      return new PoolEpochs({
        store,
        instances,
        lookCall: look,
        log: from.resolve(tokens.logger),
        markMs: from.resolve(tokens.times).markMs,
      });
    },
  });
  container.register(tokens.queries, {
    useFactory: (from) => new Queries(from.resolve(tokens.metadata), stepNamer(from.resolve(tokens.workflows))),
  });
  container.register(tokens.events, {
    useFactory: (from) => new EventFeed(from.resolve(tokens.metadata), from.resolve(tokens.closed).signal),
  });
  container.register(tokens.restorer, {
    useFactory: (from) => {
      const poolEpochs = from.resolve(tokens.poolEpochs);
      return new Restorer({
        store: from.resolve(tokens.metadata),
        engine: from.resolve(tokens.engine),
        instances: from.resolve(tokens.instances),
        workflows: from.resolve(tokens.workflows),
        planServices: from.resolve(tokens.planServices),
        log: from.resolve(tokens.logger),
        lookMs: from.resolve(tokens.times).restoreMs,
        mayAct: () => poolEpochs.isCurrent,
      });
    },
  });
  container.register(tokens.reconciler, {
    useFactory: (from) => {
      const { store, instances, lookCall: look } = from.resolve(tokens.planServices);
      const clock = from.resolve(tokens.clock);
      return new Reconciler({
        store,
        instances,
        engine: from.resolve(tokens.engine),
        workflows: from.resolve(tokens.workflows),
        restorer: from.resolve(tokens.restorer),
        lookCall: look,
        now: () => clock.now(),
      });
    },
  });
  container.register(tokens.housekeeper, {
    useFactory: (from) => {
      const clock = from.resolve(tokens.clock);
      return new Housekeeper({ store: from.resolve(tokens.metadata), now: () => clock.now(), log: from.resolve(tokens.logger) });
    },
  });
  container.register(tokens.blockStore, {
    useFactory: (from) => {
      const clock = from.resolve(tokens.clock);
      const recovery = from.resolve(tokens.recovery);
      return new BlockStore({
        metadata: from.resolve(tokens.metadata),
        engine: from.resolve(tokens.engine),
        workflows: from.resolve(tokens.workflows),
        plan: from.resolve(tokens.planServices),
        queries: from.resolve(tokens.queries),
        events: from.resolve(tokens.events),
        reconciler: from.resolve(tokens.reconciler),
        poolEpochs: from.resolve(tokens.poolEpochs),
        now: () => clock.now(),
        log: from.resolve(tokens.logger),
        attachmentCredentials: (attachmentId) =>
          attachmentCredentials(
            { store: from.resolve(tokens.metadata), instances: from.resolve(tokens.instances), chap: from.resolve(tokens.chap) },
            attachmentId,
          ),
        recover: (due) => recovery.scan(due),
        beginWork: () => beginWork(container),
        close: () => closeOnce(container),
      });
    },
  });
}

const closings = new WeakMap<Container, Promise<void>>();

/** Takes no new work, lets go of what runs, closes the instances, and ends the lease and the database, in this order. */
function closeOnce(container: Container): Promise<void> {
  const begun = closings.get(container) ?? closeParts(container);
  closings.set(container, begun);
  return begun;
}

/** A close ends within 10 s, whatever hangs. */
const closeLimitMs = 9_000;

async function closeParts(container: Container): Promise<void> {
  container.resolve(tokens.restorer).stop();
  // Until it is known that none does.
  let callsStillRun = true;
  const endStreams = async (): Promise<void> => container.resolve(tokens.closed).abort();
  await closeInOrder(
    [
      ['the look for operations to recover', () => container.resolve(tokens.recovery).stop()],
      [
        'the running operations',
        async () => {
          callsStillRun = await container.resolve(tokens.engine).close();
        },
      ],
      ['the housekeeping', () => container.resolve(tokens.housekeeper).stop()],
      ['the marks of the pools', () => container.resolve(tokens.poolEpochs).stop()],
      ['the event streams', endStreams],
      ['the instances of the plugins', () => container.resolve(tokens.delegates).close()],
      ['the connections to other machines', () => container.resolve(tokens.closeMachines)()],
      ['the lease of this process', () => container.resolve(tokens.lease).end({ callsStillRun })],
      ['the database', () => container.resolve(tokens.metadata).close()],
    ],
    closeLimitMs,
  );
}

/** A call that only looks, before an operation has an id. */
function lookCall(signal: AbortSignal, log: Call['log']): Call {
  return { operationId: '', epoch: 0, signal, log, progress: () => undefined };
}

function workflowList(workflows: Workflows): Workflow<unknown, Record<string, unknown>>[] {
  // What one workflow wrote into the journal, only the same workflow reads.
  return Object.values(workflows) as unknown as Workflow<unknown, Record<string, unknown>>[];
}

function stepNamer(workflows: Workflows): (record: OperationRecord) => string | null {
  const byKind = new Map(workflowList(workflows).map((workflow) => [workflow.kind, workflow]));
  return ({ kind, params, step, state }) =>
    state === 'running' || state === 'stuck' ? (byKind.get(kind)?.steps(params)[step]?.name ?? null) : null;
}

/**
 * Recovery takes the guard first (safety B1), on the machine where the tool runs: it waits for what a dead process left, and shuts out what
 * may wake up.
 */
export function guardSettler(delegates: Delegates, workflows: Workflows) {
  const byKind = new Map(workflowList(workflows).map((workflow) => [workflow.kind, workflow]));
  return async ({ kind, params }: OperationRecord, call: Call): Promise<void> => {
    for (const { instance, resourceId } of byKind.get(kind)?.guards(params) ?? [])
      for (const machine of machinesOf(delegates, instance)) await machine.settle(call, resourceId);
  };
}

/** Where the tools of an instance, or of a VMM node, run: a volume server and a node may share the first of its names. */
function machinesOf({ volumeServers, vmmNodes }: Delegates, instance: string): ReadonlySet<Machine> {
  const [name = ''] = instance.split('/');
  const [server, node] = [volumeServers.get(name), vmmNodes.get(name)];
  const ofServer = server !== undefined && (server.backends.has(instance) || server.exporters.has(instance));
  const ofNode = node !== undefined && [name, node.hypervisor.name, ...node.initiators.keys()].includes(instance);
  // Of one that is not configured any more it is not known whose it was.
  const known = ofServer ? [server] : ofNode ? [node] : [server, node];
  return new Set(known.flatMap((delegate) => (delegate === undefined ? [] : [delegate.machine])));
}
