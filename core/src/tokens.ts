import type { Delegates } from './delegate/delegate.js';
import { token } from './di.js';
import type { Machines } from './machine/machines.js';
import type { Observer } from './observer.js';
import type { BlockStore } from './operations/block-store.js';
import type { ChapSecrets } from './operations/chap-secrets.js';
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
import { workflowTokens } from './workflow/tokens.js';

/** Every service of one store, by the token that the composition gives it. */
export const tokens = {
  ...workflowTokens,
  machines: token<Machines>('machines'),
  placement: token<Placement>('placement'),
  observer: token<Observer>('observer'),
  delegates: token<Delegates>('delegates'),
  closeMachines: token<() => Promise<void>>('close-machines'),
  chap: token<ChapSecrets>('chap-secrets'),
  closed: token<AbortController>('closed'),
  instances: token<Instances>('instances'),
  workflows: token<Workflows>('workflows'),
  planServices: token<PlanServices>('plan-services'),
  poolEpochs: token<PoolEpochs>('pool-epochs'),
  queries: token<Queries>('queries'),
  events: token<EventFeed>('events'),
  restorer: token<Restorer>('restorer'),
  reconciler: token<Reconciler>('reconciler'),
  housekeeper: token<Housekeeper>('housekeeper'),
  blockStore: token<BlockStore>('block-store'),
} as const;
