import { VbsError } from '../../errors.js';
import { liveAttachments } from '../../metadata/attachments.js';
import type { StoreTransaction } from '../../metadata/metadata-store.js';
import { snapshots } from '../../metadata/snapshots.js';
import type { VolumeRecord } from '../../metadata/volumes.js';
import { requireId } from '../../model/ids.js';
import { optionalComment, requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { CreateSnapshotParams } from '../create-snapshot.js';
import { type PlanServices, requireState, requireVolume } from './plan-services.js';

/** Of which volume a snapshot is made. */
export interface CreateSnapshotRequest {
  readonly volumeId: string;
  /** One line of at most 1,024 bytes. */
  readonly comment?: string | null;
}

export function planCreateSnapshot<O extends object>(
  { instances }: PlanServices,
  workflow: Workflow<CreateSnapshotParams, O>,
  request: CreateSnapshotRequest,
): OperationPlan<CreateSnapshotParams, O> {
  requireFields(request, ['volumeId', 'comment']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  const comment = optionalComment(request.comment);
  return {
    workflow,
    creates: 'snapshot',
    leases: { [volumeId]: 'shared' },
    async prepare(tx, { newId, operationId }) {
      const volume = await requireVolume(tx, volumeId);
      requireState(volume, ['available', 'in-use'], 'take a snapshot of it');
      const backend = instances.backend(volume.backend);
      if (!backend.capabilities.has('snapshot'))
        throw new VbsError('UNSUPPORTED', `${backend.name} has no snapshots`, { resource: volumeId });
      if (!backend.capabilities.has('live-snapshot')) await refuseWriters(tx, volume);
      await snapshots.insert(tx.trx, {
        id: newId,
        state: 'pending',
        reason: null,
        volumeId,
        sizeBytes: volume.sizeBytes,
        comment,
        backend: volume.backend,
        createdAt: tx.now,
      });
      tx.emit({ type: 'snapshot.pending', resourceId: newId, operationId });
      return { resourceId: newId, params: { snapshotId: newId, volumeId, backend: volume.backend } };
    },
  };
}

/** Without `live-snapshot` nobody may be able to write (safety C2). */
async function refuseWriters(tx: StoreTransaction, volume: VolumeRecord): Promise<void> {
  const writer = (await liveAttachments(tx.trx, volume.id)).find(({ access }) => access === 'read-write');
  if (writer === undefined) return;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `${volume.id} is attached for writing (${writer.id}), and ${volume.backend} takes no snapshot under writes; detach it first`,
    {
      resource: volume.id,
      context: { attachments: [writer.id] },
    },
  );
}
