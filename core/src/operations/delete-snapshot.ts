import { type SnapshotState, snapshots } from '../metadata/snapshots.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { removalStep } from './removal-step.js';
import { changeSnapshot } from './transitions.js';

export interface DeleteSnapshotParams {
  readonly snapshotId: string;
  readonly backend: string;
  /** What it is again when the backend refuses. */
  readonly stateBefore: SnapshotState;
  readonly reasonBefore: string | null;
}

/** delete-snapshot: back while nothing was destroyed, forward from the backend's first act on. */
export function deleteSnapshotWorkflow(instances: Instances): Workflow<DeleteSnapshotParams, object> {
  return {
    kind: 'delete-snapshot',
    recovery: 'forward',
    steps: () => [
      removalStep({
        name: 'delete-snapshot',
        destroys: true,
        remove: ({ call, params }) => instances.backend(params.backend).contract.deleteSnapshot(call, { id: params.snapshotId }),
        isThere: async ({ call, params }) =>
          (await instances.backend(params.backend).contract.listSnapshots(call)).some(({ id }) => id === params.snapshotId),
      }),
    ],
    instances: ({ backend }) => [backend],
    guards: ({ backend, snapshotId }) => [{ instance: backend, resourceId: snapshotId }],
    async succeed(tx, { id, params: { snapshotId } }) {
      await snapshots.delete(tx.trx, snapshotId);
      tx.emit({ type: 'snapshot.deleted', resourceId: snapshotId, operationId: id });
      return null;
    },
    fail: (tx, { id, params }) =>
      changeSnapshot({ tx, operationId: id }, params.snapshotId, { state: params.stateBefore, reason: params.reasonBefore }),
    abandon: (tx, { id, params }, reason) => changeSnapshot({ tx, operationId: id }, params.snapshotId, { state: 'error', reason }),
  };
}
