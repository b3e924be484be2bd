import { VbsError } from '../../errors.js';
import { liveAttachments } from '../../metadata/attachments.js';
import { snapshots } from '../../metadata/snapshots.js';
import { requireId } from '../../model/ids.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { DeleteVolumeParams } from '../delete-volume.js';
import { changeVolume } from '../transitions.js';
import { type PlanServices, requireState, requireVolume } from './plan-services.js';

/** Which volume is deleted, with its data. */
export interface DeleteVolumeRequest {
  readonly volumeId: string;
}

export function planDeleteVolume(
  { instances }: PlanServices,
  workflow: Workflow<DeleteVolumeParams, object>,
  request: DeleteVolumeRequest,
): OperationPlan<DeleteVolumeParams, object> {
  requireFields(request, ['volumeId']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx, { operationId }) {
      const volume = await requireVolume(tx, volumeId);
      const attached = await liveAttachments(tx.trx, volumeId);
      if (attached.length > 0) {
        throw new VbsError('FAILED_PRECONDITION', `${volumeId} is attached (${attached.map(({ id }) => id).join(', ')}); detach it first`, {
          resource: volumeId,
          context: { attachments: attached.map(({ id }) => id) },
        });
      }
      requireState(volume, ['available', 'error'], 'delete it');
      if (instances.backend(volume.backend).traits.snapshotKind === 'needs-volume') {
        const dependants = await snapshots.list(tx.trx, (query) => query.where({ volume_id: volumeId }));
        if (dependants.length > 0) {
          const ids = dependants.map(({ id }) => id);
          throw new VbsError('FAILED_PRECONDITION', `${volumeId} has snapshots that need it: ${ids.join(', ')}; delete them first`, {
            resource: volumeId,
            context: { dependants: ids },
          });
        }
      }
      await changeVolume({ tx, operationId }, volumeId, { state: 'deleting' });
      return {
        resourceId: volumeId,
        params: { volumeId, backend: volume.backend, stateBefore: volume.state, reasonBefore: volume.reason },
      };
    },
  };
}
