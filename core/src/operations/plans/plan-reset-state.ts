import { VbsError } from '../../errors.js';
import { liveAttachments } from '../../metadata/attachments.js';
import { requireId } from '../../model/ids.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { KnownAttachment } from '../attachment-steps.js';
import { knownAttachment } from '../known-attachment.js';
import type { ResetStateParams } from '../reset-state.js';
import { requireState, requireVolume } from './plan-services.js';

/** Which volume is brought out of `error`. */
export interface ResetStateRequest {
  readonly volumeId: string;
}

export function planResetState<O extends object>(
  workflow: Workflow<ResetStateParams, O>,
  request: ResetStateRequest,
): OperationPlan<ResetStateParams, O> {
  requireFields(request, ['volumeId']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx) {
      const volume = await requireVolume(tx, volumeId);
      requireState(volume, ['error'], 'reset its state');
      if (volume.locator === null) {
        const message = `${volumeId} was never whole, or its bytes may be half destroyed; it can only be deleted`;
        throw new VbsError('FAILED_PRECONDITION', message, { resource: volumeId });
      }
      const attached: KnownAttachment[] = [];
      for (const attachment of await liveAttachments(tx.trx, volumeId)) attached.push(await knownAttachment(tx.trx, volume, attachment));
      return { resourceId: volumeId, params: { volumeId, backend: volume.backend, attached } };
    },
  };
}
