import type { AttachmentState } from '../metadata/attachments.js';
import type { VolumeState } from '../metadata/volumes.js';
import type { Workflow } from '../workflow/workflow.js';
import { type AttachmentOutput, AttachmentSteps, type KnownAttachment } from './attachment-steps.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';
import { changeAttachment, changeVolume, endAttachment, type StateBefore, settleVolume } from './transitions.js';
import { viewAttachment } from './views.js';

export interface DetachVolumeParams extends KnownAttachment {
  /** What they are again when the detach is refused. */
  readonly attachmentBefore: StateBefore<AttachmentState>;
  readonly volumeBefore: StateBefore<VolumeState>;
  /** Written down with the attachment: why it was detached without being asked for. */
  readonly reason: string | null;
  /** Absent in a detach that asks the guest. `nodeIsDead`: an operator said, and it is recorded, that nothing on the node runs. */
  readonly force?: { readonly nodeIsDead: boolean; readonly fence: boolean };
}

/** detach-volume: back until the hypervisor was asked, forward from then on. Forced, it shuts the node out before anything else. */
export function detachVolumeWorkflow(instances: Instances, chap: ChapSecrets): Workflow<DetachVolumeParams, AttachmentOutput> {
  const steps = new AttachmentSteps(instances, chap);
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
    async succeed(tx, { id, params: { path, reason, force, volumeBefore }, output: { remains = [] } }) {
      const change = { tx, operationId: id };
      const nodeIsDead = force?.nodeIsDead === true;
      const why = [reason, nodeIsDead ? 'forced: the node was said to be dead' : null, ...remains].filter((text) => text !== null);
      const nodeMayHold = nodeIsDead || remains.length > 0;
      const record = await endAttachment(change, { ...path, reason: why.length === 0 ? null : why.join('; '), nodeMayHold });
      await settleVolume(change, path.volume.id, volumeBefore);
      return record === null ? null : viewAttachment({ ...record, connection: null });
    },
    async fail(tx, { id, params: { path, attachmentBefore, volumeBefore } }, error) {
      const change = { tx, operationId: id };
      await changeAttachment(change, path.attachmentId, { state: attachmentBefore.state, reason: `${error.code}: ${error.message}` });
      await settleVolume(change, path.volume.id, volumeBefore);
    },
    abandon: (tx, { id, params: { path } }, reason) => changeVolume({ tx, operationId: id }, path.volume.id, { state: 'error', reason }),
  };
}
