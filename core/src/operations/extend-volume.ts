import type { VolumeLocator } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import { volumes } from '../metadata/volumes.js';
import type { ChangeStep } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import { AttachmentSteps, type KnownAttachment } from './attachment-steps.js';
import type { Instances } from './instances.js';
import { changeVolume, settleVolume } from './transitions.js';
import { viewVolume } from './views.js';

export interface ExtendVolumeParams {
  readonly volumeId: string;
  readonly backend: string;
  readonly sizeBytes: number;
  readonly requestedBytes: number;
  /** Through which guests see the volume now. */
  readonly attached: readonly KnownAttachment[];
}

interface ExtendVolumeOutput {
  readonly locator: VolumeLocator;
  readonly sizeBytes: number;
}

type ExtendStep = ChangeStep<ExtendVolumeParams, ExtendVolumeOutput>;

/** extend-volume: backend, then export, connection and device of each attachment; it ends when every guest's size is verified. */
export function extendVolumeWorkflow(instances: Instances): Workflow<ExtendVolumeParams, ExtendVolumeOutput> {
  const steps = new AttachmentSteps(instances);

  const extendVolume: ExtendStep = {
    name: 'extend-volume',
    changes: true,
    async do({ call, params: { volumeId, backend, sizeBytes } }) {
      const { locator, ...volume } = await instances.backend(backend).contract.extendVolume(call, { id: volumeId, sizeBytes });
      return { locator, sizeBytes: volume.sizeBytes };
    },
    async check({ call, params }) {
      const found = (await instances.backend(params.backend).contract.listVolumes(call)).find(({ id }) => id === params.volumeId);
      return found === undefined || found.sizeBytes < params.sizeBytes
        ? 'absent'
        : { present: { locator: found.locator, sizeBytes: found.sizeBytes } };
    },
    undo: 'irreversible',
  };

  /** One place on the way to a guest that must see the new size; asking again is harmless, so it has no check of its own. */
  const show = (name: string, act: (context: Parameters<ExtendStep['do']>[0]) => Promise<{ readonly sizeBytes: number }>): ExtendStep => ({
    name,
    changes: true,
    async do(context) {
      const { sizeBytes } = await act(context);
      const wanted = context.output.sizeBytes ?? context.params.sizeBytes;
      if (sizeBytes >= wanted) return {};
      throw new VbsError('UNAVAILABLE', `${name} shows ${sizeBytes} bytes, not ${wanted} yet`, { resource: context.params.volumeId });
    },
    check: async () => 'absent',
    undo: 'irreversible',
  });

  function showTo({ path, connection, source, bootId }: KnownAttachment): ExtendStep[] {
    const { attachmentId, exporter, exportId, node, initiator, vmKey, slot, volume } = path;
    const { contract: target } = instances.exporter(exporter);
    /** A node that was booted since sees the new size when its attachment is restored. */
    const unlessBooted =
      (act: Parameters<typeof show>[1]): Parameters<typeof show>[1] =>
      async (context) => {
        const now = await instances.node(node).bootId(context.call);
        return now === bootId ? act(context) : { sizeBytes: context.output.sizeBytes ?? context.params.sizeBytes };
      };
    const extendExport = show(
      'extend-export',
      unlessBooted(async ({ call, output, params }) => {
        const extended = { id: volume.id, sizeBytes: output.sizeBytes ?? params.sizeBytes, locator: output.locator ?? volume.locator };
        await target.ensureExports(call, { exports: [steps.exportRequest({ ...path, volume: extended })] });
        return target.extendExport(call, { exportId, volume: extended });
      }),
    );
    const extendConnection = show(
      'extend-connection',
      unlessBooted(async ({ call, params: { sizeBytes } }) => {
        if (initiator === null || connection === null) return { sizeBytes };
        return instances.initiator(node, initiator).contract.extendConnection(call, { attachmentId, connection, sizeBytes });
      }),
    );
    const extendDevice = show(
      'extend-device',
      unlessBooted(async ({ call, params: { sizeBytes } }) => {
        if (source === null)
          throw new VbsError('FAILED_PRECONDITION', `the attachment ${attachmentId} has no source`, { resource: attachmentId });
        return instances.node(node).hypervisor.contract.extendDevice(call, { attachmentId, vm: vmKey, slot, source, sizeBytes });
      }),
    );
    return [extendExport, ...(initiator === null ? [] : [extendConnection]), extendDevice];
  }

  return {
    kind: 'extend-volume',
    recovery: 'forward',
    steps: ({ attached }) => [extendVolume, ...attached.flatMap(showTo)],
    instances: ({ backend, attached }) => [...new Set([backend, ...attached.flatMap(({ path }) => steps.instanceNames(path))])],
    guards: ({ backend, volumeId }) => [{ instance: backend, resourceId: volumeId }],
    async succeed(tx, { id, params: { volumeId, requestedBytes }, output: { locator, sizeBytes } }) {
      if (locator === undefined || sizeBytes === undefined) throw new TypeError('extend-volume ended without a locator');
      await volumes.update(tx.trx, volumeId, { sizeBytes, requestedBytes, locator });
      await settleVolume({ tx, operationId: id }, volumeId);
      const record = await volumes.get(tx.trx, volumeId);
      return record === null ? null : viewVolume(tx.trx, record);
    },
    // The backend refused before it changed anything: the volume is as it was.
    fail: (tx, { id, params }) => settleVolume({ tx, operationId: id }, params.volumeId),
    abandon: (tx, { id, params }, reason) => changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason }),
  };
}
