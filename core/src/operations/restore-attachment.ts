import type { Call } from '../contract/call.js';
import type { VmmDelegate } from '../delegate/delegate.js';
import { isVbsError, VbsError } from '../errors.js';
import type { ChangeStep, StepContext } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import { succeedAttached } from './attach-volume.js';
import { type AttachmentOutput, type AttachmentPath, AttachmentSteps } from './attachment-steps.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';
import { changeAttachment, changeVolume } from './transitions.js';

export interface RestoreAttachmentParams {
  readonly path: AttachmentPath;
}

interface RestoreAttachmentOutput extends AttachmentOutput {
  readonly bootId: string;
}

type RestoreContext = StepContext<RestoreAttachmentParams, RestoreAttachmentOutput>;

/**
 * Puts an attachment back whose export or node was restarted (safety F2): export, connection and disk. All of it is one step, since
 * an interruption may take any part away again, and each part is left as it is where it is there.
 */
export function restoreAttachmentWorkflow(
  instances: Instances,
  chap: ChapSecrets,
): Workflow<RestoreAttachmentParams, RestoreAttachmentOutput> {
  const steps = new AttachmentSteps(instances, chap);
  const pathOf = ({ path }: RestoreAttachmentParams): AttachmentPath => path;

  const restore: ChangeStep<RestoreAttachmentParams, RestoreAttachmentOutput> = {
    name: 'restore-attachment',
    changes: true,
    async do(context) {
      const { call, params } = context;
      const { node, vmKey } = params.path;
      await requireVm(instances.node(node), call, vmKey);
      const bootId = await instances.node(node).bootId(call);
      let output: RestoreContext['output'] = { ...context.output, bootId };
      for (const step of [steps.ensureExport(pathOf), ...steps.forward(params.path, pathOf)]) {
        output = { ...output, ...(await step.do({ ...context, output })) };
      }
      return output;
    },
    // A disk that is there does not tell that its export is: all is looked at again.
    check: async () => 'absent',
    undo: 'irreversible',
  };

  return {
    kind: 'restore-attachment',
    recovery: 'forward',
    steps: () => [restore],
    instances: ({ path }) => steps.instanceNames(path),
    guards: ({ path }) => steps.guards(path),
    succeed: (tx, { id, params: { path }, output: { bootId, ...output } }) => {
      if (bootId === undefined) throw new TypeError('a restored attachment has no boot id');
      return succeedAttached(tx, id, { path, bootId }, output);
    },
    fail: (tx, { id, params: { path } }, error) =>
      changeAttachment({ tx, operationId: id }, path.attachmentId, { state: 'attached', reason: `${error.code}: ${error.message}` }),
    abandon: (tx, { id, params: { path } }, reason) => changeVolume({ tx, operationId: id }, path.volume.id, { state: 'error', reason }),
  };
}

/** @throws NOT_FOUND with the reason `vm-gone`: this VM, and nothing else on the way, is not there any more. */
async function requireVm({ name, hypervisor }: VmmDelegate, call: Call, vmKey: string): Promise<void> {
  try {
    await hypervisor.contract.identifyVm(call, { vmId: vmKey });
  } catch (error) {
    if (!isVbsError(error) || error.code !== 'NOT_FOUND') throw error;
    throw new VbsError('NOT_FOUND', `the VM ${vmKey} is gone from ${name}`, {
      resource: vmKey,
      context: { reason: 'vm-gone' },
      cause: error,
    });
  }
}
