import { VbsError } from '../errors.js';
import type { Workflow } from '../workflow/workflow.js';
import { type AttachmentOutput, AttachmentSteps, type KnownAttachment } from './attachment-steps.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';
import { endAttachment, settleVolume } from './transitions.js';

export interface ResetStateParams {
  readonly volumeId: string;
  readonly backend: string;
  readonly attached: readonly KnownAttachment[];
}

/** reset-state: the way out of `error` (safety A6); it first proves that the volume is there, and that no export, session or device is left. */
export function resetStateWorkflow(instances: Instances, chap: ChapSecrets): Workflow<ResetStateParams, AttachmentOutput> {
  const steps = new AttachmentSteps(instances, chap);
  return {
    kind: 'reset-state',
    recovery: 'forward',
    steps: () => [
      {
        name: 'prove-nothing-is-left',
        changes: false,
        async do(context) {
          const { call, params } = context;
          const listed = await instances.backend(params.backend).contract.listVolumes(call);
          if (!listed.some(({ id, filling }) => id === params.volumeId && filling !== true)) {
            throw new VbsError('FAILED_PRECONDITION', `${params.backend} does not have ${params.volumeId}, or not whole; delete it`, {
              resource: params.volumeId,
            });
          }
          for (const known of params.attached) {
            const gone = [...steps.release(known.path, () => known), steps.deleteExport(() => known)];
            for (const step of gone) {
              if (typeof (await step.check(context)) !== 'string') continue;
              throw new VbsError(
                'FAILED_PRECONDITION',
                `${known.path.attachmentId} is not gone: ${step.name} is still to be done; detach it with force`,
                { resource: params.volumeId },
              );
            }
          }
          return {};
        },
      },
    ],
    instances: ({ backend, attached }) => [...new Set([backend, ...attached.flatMap(({ path }) => steps.instanceNames(path))])],
    guards: ({ backend, volumeId, attached }) => [
      { instance: backend, resourceId: volumeId },
      ...attached.flatMap(({ path }) => steps.guards(path)),
    ],
    async succeed(tx, { id, params: { volumeId, attached } }) {
      const change = { tx, operationId: id };
      for (const { path } of attached) await endAttachment(change, { ...path, reason: 'reset', nodeMayHold: false });
      await settleVolume(change, volumeId);
      return null;
    },
    // It only looked: the volume is in error as before, and says why as before.
    fail: async () => undefined,
    abandon: async () => undefined,
  };
}
