import { requireId } from '../../model/ids.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { DeleteSnapshotParams } from '../delete-snapshot.js';
import { changeSnapshot } from '../transitions.js';
import { requireSnapshot, requireState } from './plan-services.js';

/** Which snapshot is deleted. */
export interface DeleteSnapshotRequest {
  readonly snapshotId: string;
}

export function planDeleteSnapshot(
  workflow: Workflow<DeleteSnapshotParams, object>,
  request: DeleteSnapshotRequest,
): OperationPlan<DeleteSnapshotParams, object> {
  requireFields(request, ['snapshotId']);
  const snapshotId = requireId('snapshot', request.snapshotId, 'snapshotId');
  return {
    workflow,
    leases: { [snapshotId]: 'exclusive' },
    async prepare(tx, { operationId }) {
      const { state, reason, backend, ...snapshot } = await requireSnapshot(tx, snapshotId);
      requireState({ ...snapshot, state, reason }, ['completed', 'error'], 'delete it');
      await changeSnapshot({ tx, operationId }, snapshotId, { state: 'deleting' });
      return { resourceId: snapshotId, params: { snapshotId, backend, stateBefore: state, reasonBefore: reason } };
    },
  };
}
