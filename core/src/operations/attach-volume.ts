import { VbsError } from '../errors.js';
import { attachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import type { ReadStep } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import { type AttachmentOutput, type AttachmentPath, AttachmentSteps } from './attachment-steps.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';
import { changeAttachment, changeVolume, changeVolumeUnlessError, endAttachment, settleVolume } from './transitions.js';
import { viewAttachment } from './views.js';

/** A cloud instance as it was resolved when the attach began. */
export interface ResolvedInstance {
  readonly resolver: string;
  readonly instanceId: string;
  readonly vmmHost: string;
  readonly vmId: string;
}

export interface AttachVolumeParams {
  readonly path: AttachmentPath;
  readonly bootId: string;
  readonly instance: ResolvedInstance | null;
}

/** attach-volume: back until the disk is in the VM, forward from then on; an instance that moved meanwhile takes it back. */
export function attachVolumeWorkflow(instances: Instances, chap: ChapSecrets): Workflow<AttachVolumeParams, AttachmentOutput> {
  const steps = new AttachmentSteps(instances, chap);
  const pathOf = ({ path }: AttachVolumeParams): AttachmentPath => path;

  const compareInstance = (instance: ResolvedInstance): ReadStep<AttachVolumeParams, AttachmentOutput> => ({
    name: 'compare-instance',
    changes: false,
    async do({ call }) {
      const { instanceId, vmmHost, vmId } = instance;
      const now = await instances.resolver(instance.resolver).contract.resolveInstance(call, { instanceId });
      if (now.vmmHost === vmmHost && now.vmId === vmId) return {};
      throw new VbsError(
        'FAILED_PRECONDITION',
        `instance ${instanceId} moved from ${vmmHost}/${vmId} to ${now.vmmHost}/${now.vmId} while it was attached; attach again`,
        {
          context: { reason: 'instance-moved', instanceId },
        },
      );
    },
  });

  return {
    kind: 'attach-volume',
    recovery: { forwardOnce: 'attach-device' },
    steps({ path, instance }) {
      const route = [steps.createExport(pathOf), ...steps.forward(path, pathOf)];
      return instance === null ? route : [...route, compareInstance(instance)];
    },
    instances: ({ path, instance }) => [...steps.instanceNames(path), ...(instance === null ? [] : [instance.resolver])],
    guards: ({ path }) => steps.guards(path),
    succeed: (tx, { id, params, output }) => succeedAttached(tx, id, params, output),
    async fail(tx, { id, params: { path } }, error) {
      const change = { tx, operationId: id };
      await endAttachment(change, { ...path, reason: `${error.code}: ${error.message}`, nodeMayHold: false });
      await settleVolume(change, path.volume.id);
    },
    async abandon(tx, { id, params: { path }, output }, reason) {
      // What was made may still be there: a forced detach must find it.
      await keepWhatWasMade(tx, path, output);
      await changeVolume({ tx, operationId: id }, path.volume.id, { state: 'error', reason });
    },
  };
}

/** The disk is in the VM: what an attach, and the restoring of an attachment, ends with. Answers the attachment. */
export async function succeedAttached(
  tx: StoreTransaction,
  operationId: string,
  { path, bootId }: Pick<AttachVolumeParams, 'path' | 'bootId'>,
  { connection, source }: Readonly<Partial<AttachmentOutput>>,
): Promise<unknown> {
  const change = { tx, operationId };
  if (connection === undefined || source === undefined) throw new TypeError('an attach ended without a connection or source');
  await keepWhatWasMade(tx, path, { connection });
  const record = await changeAttachment(change, path.attachmentId, { state: 'attached', source, bootId });
  await changeVolumeUnlessError(change, path.volume.id, 'in-use');
  return record === null ? null : viewAttachment({ ...record, connection });
}

async function keepWhatWasMade(
  tx: StoreTransaction,
  { exportId, attachmentId }: AttachmentPath,
  { connection, source }: Readonly<Partial<AttachmentOutput>>,
): Promise<void> {
  if (connection !== undefined) await exportsTable.update(tx.trx, exportId, { connection, connectionKey: connection.key });
  if (source !== undefined) await attachments.update(tx.trx, attachmentId, { source });
}
