import { VbsError } from '../../errors.js';
import { liveAttachments } from '../../metadata/attachments.js';
import { requireId } from '../../model/ids.js';
import { parseSize, roundUp } from '../../model/size.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { KnownAttachment } from '../attachment-steps.js';
import type { ExtendVolumeParams } from '../extend-volume.js';
import type { Instances } from '../instances.js';
import { knownAttachment } from '../known-attachment.js';
import { type PlanServices, requireOwnedHere, requireState, requireVolume } from './plan-services.js';

/** Which volume grows, and to what size. */
export interface ExtendVolumeRequest {
  readonly volumeId: string;
  /** The new size, bytes or a text such as "10GiB"; never less than the present one. */
  readonly size: string | number;
}

export function planExtendVolume<O extends object>(
  services: PlanServices,
  workflow: Workflow<ExtendVolumeParams, O>,
  request: ExtendVolumeRequest,
): OperationPlan<ExtendVolumeParams, O> {
  const { instances } = services;
  requireFields(request, ['volumeId', 'size']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  const requestedBytes = parseSize(request.size);
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx) {
      const volume = await requireVolume(tx, volumeId);
      requireState(volume, ['available', 'in-use'], 'extend it');
      const backend = instances.backend(volume.backend);
      if (!backend.capabilities.has('extend'))
        throw new VbsError('UNSUPPORTED', `${backend.name} cannot extend volumes`, { resource: volumeId });
      const sizeBytes = roundUp(requestedBytes, backend.traits.granularityBytes);
      if (sizeBytes < volume.sizeBytes) {
        throw new VbsError('OUT_OF_RANGE', `size: ${volumeId} has ${volume.sizeBytes} bytes and never shrinks`, {
          resource: volumeId,
          context: { field: 'size', leastBytes: volume.sizeBytes },
        });
      }
      const attached: KnownAttachment[] = [];
      for (const attachment of await liveAttachments(tx.trx, volumeId)) attached.push(await knownAttachment(tx.trx, volume, attachment));
      for (const known of attached) {
        await requireOwnedHere(services, known.path);
        refuseFixedSize(instances, known);
      }
      return { resourceId: volumeId, params: { volumeId, backend: volume.backend, sizeBytes, requestedBytes, attached } };
    },
  };
}

/** Every part of the way to a guest must be able to show the new size; else the volume has to be detached first. */
function refuseFixedSize(instances: Instances, { path: { attachmentId, exporter, node, initiator, volume } }: KnownAttachment): void {
  const parts = [
    instances.exporter(exporter),
    ...(initiator === null ? [] : [instances.initiator(node, initiator)]),
    instances.node(node).hypervisor,
  ];
  const fixed = parts.find(({ capabilities }) => !capabilities.has('extend' as never));
  if (fixed === undefined) return;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `${fixed.name} cannot show a new size to a guest; detach ${volume.id} (${attachmentId}), extend it, and attach it again`,
    {
      resource: volume.id,
      context: { attachments: [attachmentId], instance: fixed.name },
    },
  );
}
