import { VbsError } from '../../errors.js';
import { type AttachmentRecord, liveAttachments } from '../../metadata/attachments.js';
import type { StoreTransaction } from '../../metadata/metadata-store.js';
import { requireId } from '../../model/ids.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { DetachVolumeParams } from '../detach-volume.js';
import { knownAttachment } from '../known-attachment.js';
import { changeAttachment, changeVolume } from '../transitions.js';
import { type PlanServices, requireState, requireVolume } from './plan-services.js';

export interface DetachVolumeRequest {
  readonly volumeId: string;
  /** Needed only where the volume has several attachments. */
  readonly attachmentId?: string;
  /** Shuts the node out at the exporter, which needs `fence`, instead of waiting for the guest. */
  readonly force?: boolean;
  /** With `force`: nothing on the node runs any more; it is recorded that the caller said so. */
  readonly nodeIsDead?: boolean;
}

export function planDetachVolume<O extends object>(
  { instances }: PlanServices,
  workflow: Workflow<DetachVolumeParams, O>,
  request: DetachVolumeRequest,
  why: string | null = null,
): OperationPlan<DetachVolumeParams, O> {
  requireFields(request, ['volumeId', 'attachmentId', 'force', 'nodeIsDead']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  const attachmentId = request.attachmentId === undefined ? undefined : requireId('attachment', request.attachmentId, 'attachmentId');
  const { force = false, nodeIsDead = false } = request;
  if (typeof force !== 'boolean') throw new VbsError('INVALID_ARGUMENT', 'force must be true or false', { context: { field: 'force' } });
  if (typeof nodeIsDead !== 'boolean' || (nodeIsDead && !force)) {
    throw new VbsError('INVALID_ARGUMENT', 'nodeIsDead must be true or false, and goes with force', { context: { field: 'nodeIsDead' } });
  }
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx, { operationId }) {
      const volume = await requireVolume(tx, volumeId);
      const attachment = await chooseAttachment(tx, volumeId, attachmentId);
      if (!force) requireState(attachment, ['attached'], 'detach it without force');
      const known = await knownAttachment(tx.trx, volume, attachment);
      const fence = force && instances.exporter(known.path.exporter).capabilities.has('fence');
      if (force && !fence && !nodeIsDead) {
        throw new VbsError(
          'FAILED_PRECONDITION',
          `${known.path.exporter} cannot shut a node out; forced detach then needs nodeIsDead: true, said by somebody who knows`,
          { resource: volumeId },
        );
      }
      await changeAttachment({ tx, operationId }, attachment.id, { state: 'detaching' });
      await changeVolume({ tx, operationId }, volumeId, { state: 'detaching' });
      return { resourceId: attachment.id, params: { ...known, reason: why, ...(force ? { force: { nodeIsDead, fence } } : {}) } };
    },
  };
}

async function chooseAttachment(tx: StoreTransaction, volumeId: string, attachmentId: string | undefined): Promise<AttachmentRecord> {
  const live = await liveAttachments(tx.trx, volumeId);
  const ids = live.map(({ id }) => id);
  if (attachmentId !== undefined) {
    const named = live.find(({ id }) => id === attachmentId);
    if (named !== undefined) return named;
    throw new VbsError('NOT_FOUND', `${volumeId} has no attachment ${attachmentId}`, {
      resource: attachmentId,
      context: { field: 'attachmentId', attachments: ids },
    });
  }
  const [only] = live;
  if (only !== undefined && live.length === 1) return only;
  if (only === undefined) throw new VbsError('FAILED_PRECONDITION', `${volumeId} is not attached`, { resource: volumeId });
  throw new VbsError('FAILED_PRECONDITION', `${volumeId} has several attachments (${ids.join(', ')}); say which with attachmentId`, {
    resource: volumeId,
    context: { field: 'attachmentId', attachments: ids },
  });
}
