import type { VolumeLocator } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import { volumes } from '../metadata/volumes.js';
import type { ChangeStep } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import { AttachmentSteps, type KnownAttachment } from './attachment-steps.js';
import type { ChapSecrets } from './chap-secrets.js';
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
export function extendVolumeWorkflow(instances: Instances, chap: ChapSecrets): Workflow<ExtendVolumeParams, ExtendVolumeOutput> {
  const steps = new AttachmentSteps(instances, chap);

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

  /** Shows one guest the new size. Asking again is harmless, and an interruption may have restarted a part of the way: it has no check. */
  const showTo = ({ path, connection, source, bootId }: KnownAttachment): ExtendStep => ({
    name: 'show-size',
    changes: true,
    async do({ call, params, output }) {
      const { attachmentId, exporter, exportId, node, initiator, vmKey, slot, volume } = path;
      const sizeBytes = output.sizeBytes ?? params.sizeBytes;
      // A node that was booted since sees the new size when its attachment is restored.
      if ((await instances.node(node).bootId(call)) !== bootId) return {};
      if (connection === null || source === null) throw new TypeError(`${attachmentId} is attached without a connection or source`);
      const extended = { id: volume.id, sizeBytes, locator: output.locator ?? volume.locator };
      const target = instances.exporter(exporter).contract;
      await target.ensureExports(call, { exports: [steps.exportRequest({ ...path, volume: extended })] });
      requireShown(exporter, await target.extendExport(call, { exportId, volume: extended }), sizeBytes);
      if (initiator !== null) {
        requireShown(
          initiator,
          await instances.initiator(node, initiator).contract.extendConnection(call, { attachmentId, connection, sizeBytes }),
          sizeBytes,
        );
      }
      const { hypervisor } = instances.node(node);
      requireShown(
        hypervisor.name,
        await hypervisor.contract.extendDevice(call, { attachmentId, vm: vmKey, slot, source, sizeBytes }),
        sizeBytes,
      );
      return {};
    },
    check: async () => 'absent',
    undo: 'irreversible',
  });

  return {
    kind: 'extend-volume',
    recovery: 'forward',
    steps: ({ attached }) => [extendVolume, ...attached.map(showTo)],
    instances: ({ backend, attached }) => [...new Set([backend, ...attached.flatMap(({ path }) => steps.instanceNames(path))])],
    guards: ({ backend, volumeId, attached }) => [
      { instance: backend, resourceId: volumeId },
      ...attached.flatMap(({ path }) => steps.guards(path)),
    ],
    async succeed(tx, { id, params: { volumeId, requestedBytes }, output: { locator, sizeBytes } }) {
      if (locator === undefined || sizeBytes === undefined) throw new TypeError('extend-volume ended without a locator');
      await volumes.update(tx.trx, volumeId, { sizeBytes, requestedBytes, locator });
      const record = await settleVolume({ tx, operationId: id }, volumeId);
      return record === null ? null : viewVolume(tx.trx, record);
    },
    // The backend refused before it changed anything: the volume is as it was.
    fail: (tx, { id, params }) => settleVolume({ tx, operationId: id }, params.volumeId),
    abandon: (tx, { id, params }, reason) => changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason }),
  };
}

function requireShown(instance: string, shown: { readonly sizeBytes: number }, wantedBytes: number): void {
  if (shown.sizeBytes >= wantedBytes) return;
  throw new VbsError('UNAVAILABLE', `${instance} shows ${shown.sizeBytes} bytes, not ${wantedBytes} yet`, { context: { instance } });
}
