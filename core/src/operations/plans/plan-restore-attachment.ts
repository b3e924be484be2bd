import { VbsError } from '../../errors.js';
import { attachments } from '../../metadata/attachments.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import { knownAttachment } from '../known-attachment.js';
import type { RestoreAttachmentParams } from '../restore-attachment.js';
import { requireState, requireVolume } from './plan-services.js';

export function planRestoreAttachment<O extends object>(
  workflow: Workflow<RestoreAttachmentParams, O>,
  { volumeId, attachmentId }: { readonly volumeId: string; readonly attachmentId: string },
): OperationPlan<RestoreAttachmentParams, O> {
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx) {
      const volume = await requireVolume(tx, volumeId);
      const attachment = await attachments.get(tx.trx, attachmentId);
      if (attachment === null) throw new VbsError('NOT_FOUND', `there is no attachment ${attachmentId}`, { resource: attachmentId });
      requireState(attachment, ['attached'], 'restore it');
      const { path } = await knownAttachment(tx.trx, volume, attachment);
      return { resourceId: attachmentId, params: { path } };
    },
  };
}
