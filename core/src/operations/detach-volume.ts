import { attachments } from '../metadata/attachments.js';
import type { Workflow } from '../workflow/workflow.js';
import { type AttachmentOutput, AttachmentSteps, type KnownAttachment } from './attachment-steps.js';
import type { Instances } from './instances.js';
import { changeAttachment, changeVolume, endAttachment, settleVolume } from './transitions.js';
import { viewAttachments } from './views.js';

export interface DetachVolumeParams extends KnownAttachment {
  /** Written down with the attachment: why it was detached without being asked for. */
  readonly reason: string | null;
  /** Absent in a detach that asks the guest. `nodeIsDead`: an operator said, and it is recorded, that nothing on the node runs. */
  readonly force?: { readonly nodeIsDead: boolean; readonly fence: boolean };
}

/** detach-volume: back until the hypervisor was asked, forward from then on. Forced, it shuts the node out before anything else. */
export function detachVolumeWorkflow(instances: Instances): Workflow<DetachVolumeParams, AttachmentOutput> {
  const steps = new AttachmentSteps(instances);
  const of = (params: DetachVolumeParams): KnownAttachment => params;
  const deleteExport = steps.deleteExport(of);

  return {
    kind: 'detach-volume',
    recovery: 'forward',
    steps({ path, force }) {
      const release = steps.release(path, of);
      if (force === undefined) return [...release, deleteExport];
      const noted = release.map((step) => ({ ...step, onFailure: 'note' as const }));
      const shutOut = force.fence ? [steps.revokeAccess(of)] : [];
      return [...shutOut, ...(force.nodeIsDead ? [] : noted), deleteExport];
    },
    // A dead node is not asked, so no process needs to have it.
    instances: ({ path, force }) => (force?.nodeIsDead === true ? [path.exporter] : steps.instanceNames(path)),
    guards: ({ path }) => steps.guards(path),
    async succeed(tx, { id, params: { path, reason, force }, output: { remains } }) {
      const why = [reason, force?.nodeIsDead === true ? 'forced: the node was said to be dead' : null, ...(remains ?? [])].filter(
        (text) => text !== null,
      );
      await endAttachment({ tx, operationId: id }, { ...path, volumeId: path.volume.id }, why.length === 0 ? null : why.join('; '));
      const record = await attachments.get(tx.trx, path.attachmentId);
      const [view] = record === null ? [] : await viewAttachments(tx.trx, [record]);
      return view ?? null;
    },
    async fail(tx, { id, params: { path } }, error) {
      await changeAttachment({ tx, operationId: id }, path.attachmentId, { state: 'attached', reason: `${error.code}: ${error.message}` });
      await settleVolume({ tx, operationId: id }, path.volume.id);
    },
    abandon: (tx, { id, params: { path } }, reason) => changeVolume({ tx, operationId: id }, path.volume.id, { state: 'error', reason }),
  };
}
