import { type VolumeState, volumes } from '../metadata/volumes.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { removalStep } from './removal-step.js';
import { changeVolume } from './transitions.js';

export interface DeleteVolumeParams {
  readonly volumeId: string;
  readonly backend: string;
  /** What it is again when the backend refuses. */
  readonly stateBefore: VolumeState;
  readonly reasonBefore: string | null;
}

/** delete-volume: back while nothing was destroyed, forward from the backend's first act on. */
export function deleteVolumeWorkflow(instances: Instances): Workflow<DeleteVolumeParams, object> {
  return {
    kind: 'delete-volume',
    recovery: 'forward',
    steps: () => [
      removalStep({
        name: 'delete-volume',
        destroys: true,
        remove: ({ call, params }) => instances.backend(params.backend).contract.deleteVolume(call, { id: params.volumeId }),
        isThere: async ({ call, params }) =>
          (await instances.backend(params.backend).contract.listVolumes(call)).some(({ id }) => id === params.volumeId),
      }),
    ],
    instances: ({ backend }) => [backend],
    guards: ({ backend, volumeId }) => [{ instance: backend, resourceId: volumeId }],
    async succeed(tx, { id, params: { volumeId } }) {
      await tx.trx('attachments').where({ volume_id: volumeId }).delete();
      await volumes.delete(tx.trx, volumeId);
      tx.emit({ type: 'volume.deleted', resourceId: volumeId, operationId: id });
      return null;
    },
    fail: (tx, { id, params }) =>
      changeVolume({ tx, operationId: id }, params.volumeId, { state: params.stateBefore, reason: params.reasonBefore }),
    // Some of its bytes may be gone: without a locator it can only be deleted again.
    abandon: (tx, { id, params }, reason) =>
      changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason, locator: null }),
  };
}
