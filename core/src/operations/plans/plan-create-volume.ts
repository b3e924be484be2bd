import type { OpenedBackend } from '../../delegate/delegate.js';
import { VbsError } from '../../errors.js';
import type { MetadataStore } from '../../metadata/metadata-store.js';
import { type SnapshotRecord, snapshots } from '../../metadata/snapshots.js';
import { volumes } from '../../metadata/volumes.js';
import { requireId } from '../../model/ids.js';
import { parseSize, roundUp } from '../../model/size.js';
import { optionalComment, requireFields, requireText } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { CreateVolumeParams } from '../create-volume.js';
import { type PlanServices, requireSnapshot, requireState } from './plan-services.js';

/** How large a volume is made, from what, and where. */
export interface CreateVolumeRequest {
  /** Bytes, or a text such as "5GiB". With a snapshot it may be left out: the snapshot's size. */
  readonly size?: string | number;
  /** One line of at most 1,024 bytes. */
  readonly comment?: string | null;
  readonly snapshotId?: string | null;
  /** `vs1/fast`; the default backend unless told, and always that of the snapshot. */
  readonly backend?: string;
}

export async function planCreateVolume<O extends object>(
  services: PlanServices,
  workflow: Workflow<CreateVolumeParams, O>,
  request: CreateVolumeRequest,
): Promise<OperationPlan<CreateVolumeParams, O>> {
  requireFields(request, ['size', 'comment', 'snapshotId', 'backend']);
  const snapshotId = request.snapshotId == null ? null : requireId('snapshot', request.snapshotId, 'snapshotId');
  const comment = optionalComment(request.comment);
  const requestedBytes = request.size === undefined && snapshotId !== null ? null : parseSize(request.size);
  const source = snapshotId === null ? null : await findSnapshot(services.store, snapshotId);
  const backend = await chooseBackend(services, request.backend, source, requestedBytes ?? 0);
  const wantedBytes = requestedBytes ?? source?.sizeBytes ?? 0;
  const sizeBytes = roundUp(wantedBytes, backend.traits.granularityBytes);
  if (source !== null && sizeBytes < source.sizeBytes) {
    throw new VbsError('OUT_OF_RANGE', `size: a volume from ${source.id} needs at least ${source.sizeBytes} bytes`, {
      context: { field: 'size', leastBytes: source.sizeBytes },
    });
  }
  return {
    workflow,
    creates: 'volume',
    leases: snapshotId === null ? {} : { [snapshotId]: 'shared' },
    async prepare(tx, { newId, operationId }) {
      if (snapshotId !== null) requireState(await requireSnapshot(tx, snapshotId), ['completed'], 'make a volume from it');
      await volumes.insert(tx.trx, {
        id: newId,
        state: 'pending',
        reason: null,
        sizeBytes,
        requestedBytes: wantedBytes,
        comment,
        snapshotId,
        backend: backend.name,
        locator: null,
        createdAt: tx.now,
      });
      tx.emit({ type: 'volume.pending', resourceId: newId, operationId });
      return {
        resourceId: newId,
        params: { volumeId: newId, backend: backend.name, sizeBytes, snapshotId, instant: backend.capabilities.has('instant-clone') },
      };
    },
  };
}

async function findSnapshot(store: MetadataStore, id: string): Promise<SnapshotRecord> {
  const record = await snapshots.get(store.db, id);
  if (record === null)
    throw new VbsError('NOT_FOUND', `there is no snapshot ${id}`, { resource: id, context: { field: 'snapshotId', ids: [id] } });
  return record;
}

async function chooseBackend(
  { instances, placement }: PlanServices,
  named: string | undefined,
  source: SnapshotRecord | null,
  sizeBytes: number,
): Promise<OpenedBackend> {
  if (named !== undefined) requireText(named, 'backend', { maxBytes: 255 });
  if (source !== null) {
    if (named !== undefined && named !== source.backend) {
      throw new VbsError(
        'FAILED_PRECONDITION',
        `backend: ${source.id} lies on ${source.backend}, and a volume from it can only be made there`,
        { context: { field: 'backend' } },
      );
    }
    return instances.backend(source.backend);
  }
  const backends = instances.backends();
  if (named === undefined) return placement.choose({ sizeBytes }, backends);
  const found = backends.find(({ name }) => name === named);
  if (found !== undefined) return found;
  const names = backends.map(({ name }) => name);
  throw new VbsError('NOT_FOUND', `backend: there is no backend ${JSON.stringify(named)}; there are ${names.join(', ')}`, {
    context: { field: 'backend', backends: names },
  });
}
