import type { Knex } from 'knex';
import { VbsError } from '../../errors.js';
import { type AttachmentRecord, liveAttachments } from '../../metadata/attachments.js';
import { requireId } from '../../model/ids.js';
import { requireFields } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { DetachVolumeParams } from '../detach-volume.js';
import { knownAttachment } from '../known-attachment.js';
import { changeAttachment, changeVolume, type StateBefore } from '../transitions.js';
import { type PlanServices, requireOwnedHere, requireState, requireVolume } from './plan-services.js';

/** Which attachment ends, and how much may be risked for it. */
export interface DetachVolumeRequest {
  readonly volumeId: string;
  /** Needed only where the volume has several attachments. */
  readonly attachmentId?: string;
  /** Shuts the node out at the exporter, which needs `fence`, instead of waiting for the guest. */
  readonly force?: boolean;
  /** With `force`: nothing on the node runs any more; it is recorded that the caller said so. */
  readonly nodeIsDead?: boolean;
}

/** A request whose fields are legal. */
interface Detach {
  readonly volumeId: string;
  readonly attachmentId: string | undefined;
  readonly force: boolean;
  readonly nodeIsDead: boolean;
}

export function planDetachVolume<O extends object>(
  services: PlanServices,
  workflow: Workflow<DetachVolumeParams, O>,
  request: DetachVolumeRequest,
  why: string | null = null,
): OperationPlan<DetachVolumeParams, O> {
  const detach = requireDetach(request);
  const { volumeId, force, nodeIsDead } = detach;
  return {
    workflow,
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx, { operationId }) {
      const { volume, attachment, known, fence } = await chooseDetach(tx.trx, services, detach);
      await changeAttachment({ tx, operationId }, attachment.id, { state: 'detaching' });
      await changeVolume({ tx, operationId }, volumeId, { state: 'detaching' });
      const before = { attachmentBefore: stateOf(attachment), volumeBefore: stateOf(volume) };
      const params: DetachVolumeParams = { ...known, ...before, reason: why, ...(force ? { force: { nodeIsDead, fence } } : {}) };
      return { resourceId: attachment.id, params };
    },
  };
}

/** What {@link planDetachVolume} would refuse, looked at before a stuck operation is given up for a forced detach. */
export async function requireDetachable(services: PlanServices, request: DetachVolumeRequest): Promise<void> {
  await chooseDetach(services.store.db, services, requireDetach(request));
}

function requireDetach(request: DetachVolumeRequest): Detach {
  requireFields(request, ['volumeId', 'attachmentId', 'force', 'nodeIsDead']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  const attachmentId = request.attachmentId === undefined ? undefined : requireId('attachment', request.attachmentId, 'attachmentId');
  const { force = false, nodeIsDead = false } = request;
  if (typeof force !== 'boolean') throw new VbsError('INVALID_ARGUMENT', 'force must be true or false', { context: { field: 'force' } });
  if (typeof nodeIsDead !== 'boolean' || (nodeIsDead && !force)) {
    throw new VbsError('INVALID_ARGUMENT', 'nodeIsDead must be true or false, and goes with force', { context: { field: 'nodeIsDead' } });
  }
  return { volumeId, attachmentId, force, nodeIsDead };
}

async function chooseDetach(db: Knex, services: PlanServices, { volumeId, attachmentId, force, nodeIsDead }: Detach) {
  const volume = await requireVolume({ trx: db }, volumeId);
  const attachment = await chooseAttachment(db, volumeId, attachmentId);
  if (!force) requireState(attachment, ['attached'], 'detach it without force');
  const known = await knownAttachment(db, volume, attachment);
  await requireOwnedHere(services, known.path, { nodeIsDead });
  const fence = force && services.instances.exporter(known.path.exporter).capabilities.has('fence');
  if (force && !fence && !nodeIsDead) {
    const message = `${known.path.exporter} cannot shut a node out; forced detach then needs nodeIsDead: true, said by somebody who knows`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: volumeId });
  }
  return { volume, attachment, known, fence };
}

const stateOf = <S extends string>({ state, reason }: StateBefore<S>): StateBefore<S> => ({ state, reason });

async function chooseAttachment(db: Knex, volumeId: string, attachmentId: string | undefined): Promise<AttachmentRecord> {
  const live = await liveAttachments(db, volumeId);
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
