import { VbsError } from '../errors.js';
import type { ReadStep } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import { type AttachVolumeParams, succeedAttached } from './attach-volume.js';
import { type AttachmentOutput, type AttachmentPath, AttachmentSteps } from './attachment-steps.js';
import type { Instances } from './instances.js';
import { changeVolume } from './transitions.js';

export type RestoreAttachmentParams = Pick<AttachVolumeParams, 'path' | 'bootId'>;

/** Puts an attachment back whose export or node was restarted (safety F2): export, connection and disk, always forward. */
export function restoreAttachmentWorkflow(instances: Instances): Workflow<RestoreAttachmentParams, AttachmentOutput> {
  const steps = new AttachmentSteps(instances);
  const pathOf = ({ path }: RestoreAttachmentParams): AttachmentPath => path;
  const forward = [steps.ensureExport(pathOf), steps.connect(pathOf), steps.attachDevice(pathOf)].map((step) => ({
    ...step,
    undo: 'irreversible' as const,
  }));
  const findVm: ReadStep<RestoreAttachmentParams, AttachmentOutput> = {
    name: 'find-vm',
    changes: false,
    async do({ call, params: { path } }) {
      await instances.node(path.node).hypervisor.contract.identifyVm(call, { vmId: path.vmKey });
      return {};
    },
  };
  return {
    kind: 'restore-attachment',
    recovery: 'forward',
    steps: () => [findVm, ...forward],
    instances: ({ path }) => steps.instanceNames(path),
    guards: ({ path }) => steps.guards(path),
    succeed: (tx, { id, params, output }) => succeedAttached(tx, id, params, output),
    fail: (tx, { id, params: { path } }, error) =>
      changeVolume({ tx, operationId: id }, path.volume.id, { state: 'in-use', reason: new VbsError(error.code, error.message).message }),
    abandon: (tx, { id, params: { path } }, reason) => changeVolume({ tx, operationId: id }, path.volume.id, { state: 'error', reason }),
  };
}
