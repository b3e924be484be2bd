import type { Access } from '../../contract/connection.js';
import type { VmmDelegate } from '../../delegate/delegate.js';
import { findNode } from '../../delegate/find-node.js';
import { findRoute, type Route } from '../../delegate/routes.js';
import { VbsError } from '../../errors.js';
import { attachmentInSlot, attachments, liveAttachments } from '../../metadata/attachments.js';
import { exportsTable } from '../../metadata/exports.js';
import type { StoreTransaction } from '../../metadata/metadata-store.js';
import { takeNumber } from '../../metadata/numbers.js';
import { type VolumeRecord, volumes } from '../../metadata/volumes.js';
import { requireId } from '../../model/ids.js';
import { requireDevice, requireFields, requireName } from '../../model/text.js';
import type { OperationPlan } from '../../workflow/journal.js';
import type { Workflow } from '../../workflow/workflow.js';
import type { AttachVolumeParams, ResolvedInstance } from '../attach-volume.js';
import type { AttachmentPath } from '../attachment-steps.js';
import { changeVolume } from '../transitions.js';
import { type PlanServices, requireState, requireVolume } from './plan-services.js';

/** Which volume goes into which slot of which VM. */
export interface AttachVolumeRequest {
  readonly volumeId: string;
  /** The VMM node, by its name or a host name; with `vmId`, or both left out for an `instanceId`. */
  readonly vmmHost?: string;
  readonly vmId?: string;
  /** A cloud instance, which a resolver places on a node. */
  readonly instanceId?: string;
  /** As the hypervisor names it: `xvdb`. */
  readonly device: string;
  /** `read-write` unless told. */
  readonly access?: Access;
}

/** Where the disk is to go, as the outside says before anything is claimed. */
interface Target {
  readonly node: VmmDelegate;
  readonly vmId: string;
  readonly vmKey: string;
  readonly slot: string;
  readonly bootId: string;
  readonly instance: ResolvedInstance | null;
  readonly route: Route;
  readonly initiators: readonly string[] | null;
}

export async function planAttachVolume<O extends object>(
  services: PlanServices,
  workflow: Workflow<AttachVolumeParams, O>,
  request: AttachVolumeRequest,
): Promise<OperationPlan<AttachVolumeParams, O>> {
  requireFields(request, ['volumeId', 'vmmHost', 'vmId', 'instanceId', 'device', 'access']);
  const volumeId = requireId('volume', request.volumeId, 'volumeId');
  const device = requireDevice(request.device);
  const access = requireAccess(request.access);
  const place = await resolvePlace(services, request);
  const volume = await volumes.get(services.store.db, volumeId);
  if (volume === null)
    throw new VbsError('NOT_FOUND', `there is no volume ${volumeId}`, { resource: volumeId, context: { ids: [volumeId] } });
  const target = await findTarget(services, volume, place, device, access);

  return {
    workflow,
    draws: ['attachment', 'export'],
    leases: { [volumeId]: 'exclusive' },
    async prepare(tx, { operationId, drawnIds: [attachmentId, exportId] }) {
      if (attachmentId === undefined || exportId === undefined) throw new TypeError('an attach was begun without ids');
      const current = await requireVolume(tx, volumeId);
      requireState(current, ['available', 'in-use'], 'attach it');
      await refuseSharing(tx, current, access, target.route);
      await refuseTakenSlot(tx, target);
      if (current.locator === null) throw new TypeError(`${volumeId} is ${current.state} and has no locator`);
      const { exporter, initiator } = target.route;
      const { initiators, node, vmId, vmKey, slot, bootId, instance } = target;
      const initiatorName = initiator?.name ?? null;
      await exportsTable.insert(tx.trx, {
        id: exportId,
        volumeId,
        state: 'live',
        attachmentId,
        node: node.name,
        initiator: initiatorName,
        exporter: exporter.name,
        access,
        initiators,
        connection: null,
        connectionKey: null,
        address: null,
        createdAt: tx.now,
      });
      const { addresses } = exporter.traits;
      const address = addresses === undefined ? null : await takeNumber(tx.trx, addresses, exportId);
      if (address !== null) await exportsTable.update(tx.trx, exportId, { address });
      const path: AttachmentPath = {
        attachmentId,
        volume: { id: volumeId, sizeBytes: current.sizeBytes, locator: current.locator },
        exportId,
        exporter: exporter.name,
        access,
        initiators,
        address,
        node: node.name,
        initiator: initiatorName,
        vmKey,
        slot,
      };
      await attachments.insert(tx.trx, {
        id: attachmentId,
        volumeId,
        state: 'attaching',
        reason: null,
        node: node.name,
        initiator: initiatorName,
        vmId,
        vmKey,
        device,
        slot,
        access,
        instanceId: instance?.instanceId ?? null,
        exportId,
        source: null,
        bootId: null,
        createdAt: tx.now,
      });
      tx.emit({ type: 'attachment.attaching', resourceId: attachmentId, operationId, data: { volumeId } });
      await changeVolume({ tx, operationId }, volumeId, { state: 'attaching' });
      return { resourceId: attachmentId, params: { path, bootId, instance } };
    },
  };
}

function requireAccess(access: unknown = 'read-write'): Access {
  if (access === 'read-write' || access === 'read-only') return access;
  throw new VbsError('INVALID_ARGUMENT', 'access must be read-write or read-only', { context: { field: 'access' } });
}

async function resolvePlace(
  { instances, lookCall }: PlanServices,
  { instanceId, vmmHost, vmId }: AttachVolumeRequest,
): Promise<{ vmmHost: string; vmId: string; instance: ResolvedInstance | null }> {
  if (instanceId === undefined) return { vmmHost: requireName(vmmHost, 'vmmHost'), vmId: requireName(vmId, 'vmId'), instance: null };
  requireName(instanceId, 'instanceId');
  if (vmmHost !== undefined || vmId !== undefined) {
    throw new VbsError('INVALID_ARGUMENT', 'instanceId says where the VM is: leave vmmHost and vmId out', {
      context: { field: 'instanceId' },
    });
  }
  const resolvers = [...instances.delegates.resolvers.values()];
  if (resolvers.length === 0)
    throw new VbsError('FAILED_PRECONDITION', 'no resolver is configured, so an instanceId cannot be placed', {
      context: { field: 'instanceId' },
    });
  let notFound: unknown;
  for (const resolver of resolvers) {
    try {
      const place = await resolver.contract.resolveInstance(lookCall(), { instanceId });
      return { ...place, instance: { resolver: resolver.name, ...place } };
    } catch (error) {
      if (!(error instanceof VbsError) || error.code !== 'NOT_FOUND') throw error;
      // One that knew the instance says more than one that does not know it.
      if (notFound === undefined || error.context.reason === 'terminated') notFound = error;
    }
  }
  throw notFound;
}

async function findTarget(
  { instances, identities, lookCall }: PlanServices,
  volume: VolumeRecord,
  place: { vmmHost: string; vmId: string; instance: ResolvedInstance | null },
  device: string,
  access: Access,
): Promise<Target> {
  const node = findNode(instances.delegates, place.vmmHost);
  const call = lookCall();
  const { key: vmKey, running } = await node.hypervisor.contract.identifyVm(call, { vmId: place.vmId });
  const { slot } = await node.hypervisor.contract.canonicalSlot(call, { vm: vmKey, device });
  if (running && !node.hypervisor.capabilities.has('hotplug')) {
    throw new VbsError('FAILED_PRECONDITION', `${node.hypervisor.name} attaches disks only to stopped VMs, and ${place.vmId} is running`, {
      context: { vm: vmKey },
    });
  }
  const route = findRoute(instances.volumeServerOf(volume.backend), instances.backend(volume.backend), node);
  if (access === 'read-only') {
    for (const instance of [route.exporter, node.hypervisor]) {
      if (!instance.capabilities.has('read-only' as never))
        throw new VbsError('UNSUPPORTED', `${instance.name} has no read-only disks`, { context: { field: 'access' } });
    }
  }
  const { exporter, initiator } = route;
  const via = { initiator: initiator?.name ?? null, protocol: exporter.provider.protocol };
  // Who an exporter with an access list is to let in (safety E4).
  const initiators = exporter.capabilities.has('acl') ? await identities.identify(call, node, via) : null;
  return {
    node,
    vmId: place.vmId,
    vmKey,
    slot,
    bootId: await node.bootId(call),
    instance: place.instance,
    route,
    initiators,
  };
}

/** A live writable attachment excludes every other (safety F4); read-only ones may share where the exporter can. */
async function refuseSharing(tx: StoreTransaction, volume: VolumeRecord, access: Access, { exporter }: Route): Promise<void> {
  const live = await liveAttachments(tx.trx, volume.id);
  const [first] = live;
  if (first === undefined) return;
  const mayShare =
    access === 'read-only' && live.every((other) => other.access === 'read-only') && exporter.capabilities.has('multi-attach');
  if (mayShare) return;
  const how = live.map(({ id, node, vmId, slot, access: how }) => `${id}: ${how} in ${node}/${vmId} as ${slot}`).join('; ');
  throw new VbsError('FAILED_PRECONDITION', `${volume.id} is attached already (${how}); detach it first`, {
    resource: volume.id,
    context: { attachments: live.map(({ id }) => id) },
  });
}

async function refuseTakenSlot(tx: StoreTransaction, { node, vmKey, slot }: Target): Promise<void> {
  const holder = await attachmentInSlot(tx.trx, { node: node.name, vmKey, slot });
  if (holder === null) return;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `device: ${slot} of ${node.name}/${vmKey} holds ${holder.volumeId} (${holder.id}); take another`,
    {
      resource: holder.volumeId,
      context: { field: 'device', attachments: [holder.id] },
    },
  );
}
