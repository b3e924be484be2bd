import type { Logger } from './contract/call.js';
import type { Delegates } from './delegate/delegate.js';
import { token } from './di.js';
import type { Machines } from './machine/machines.js';
import type { Database } from './metadata/database/open-database.js';
import type { MetadataStore } from './metadata/metadata-store.js';
import type { Clock } from './model/services.js';
import type { BlockStore } from './operations/block-store.js';
import type { EventFeed } from './operations/event-feed.js';
import type { Housekeeper } from './operations/housekeeper.js';
import type { Instances } from './operations/instances.js';
import type { Placement } from './operations/placement.js';
import type { PlanServices } from './operations/plans/plan-services.js';
import type { PoolEpochs } from './operations/pool-epochs.js';
import type { Queries } from './operations/queries.js';
import type { Reconciler } from './operations/reconcile.js';
import type { Restorer } from './operations/restorer.js';
import type { Workflows } from './operations/workflows.js';
import type { Journal } from './workflow/journal.js';
import type { OperationEngine } from './workflow/operation-engine.js';
import type { OtherProcesses } from './workflow/other-processes.js';
import type { ProcessEntry, ProcessLease } from './workflow/process-lease.js';
import type { Recovery } from './workflow/recovery.js';
import type { StoreTimes } from './workflow/store-times.js';

/** The services of one store, each by the token that the composition gives it. */
export const tokens = {
  // Replaceable by an embedder (design §9).
  clock: token<Clock>('clock'),
  newId: token<() => string>('new-id'),
  logger: token<Logger>('logger'),
  machines: token<Machines>('machines'),
  placement: token<Placement>('placement'),
  // Opened before the rest is composed.
  database: token<Database>('database'),
  delegates: token<Delegates>('delegates'),
  process: token<ProcessEntry>('process'),
  times: token<StoreTimes>('times'),
  closed: token<AbortController>('closed'),
  // The core's own.
  metadata: token<MetadataStore>('metadata'),
  lease: token<ProcessLease>('lease'),
  others: token<OtherProcesses>('other-processes'),
  journal: token<Journal>('journal'),
  instances: token<Instances>('instances'),
  workflows: token<Workflows>('workflows'),
  engine: token<OperationEngine>('engine'),
  recovery: token<Recovery>('recovery'),
  planServices: token<PlanServices>('plan-services'),
  poolEpochs: token<PoolEpochs>('pool-epochs'),
  queries: token<Queries>('queries'),
  events: token<EventFeed>('events'),
  restorer: token<Restorer>('restorer'),
  reconciler: token<Reconciler>('reconciler'),
  housekeeper: token<Housekeeper>('housekeeper'),
  blockStore: token<BlockStore>('block-store'),
} as const;
