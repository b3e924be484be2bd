import {
  type AttachDeviceRequest,
  type AttachedDevice,
  type Call,
  type ConnectionRequest,
  type ConnectRequest,
  type DetachResult,
  type DeviceRequest,
  type DeviceSource,
  type LocalMachine,
  type NodeConnection,
  VbsError,
} from '@vbs/core';
import { devicePath, exportOfPath, type World, type WorldConnection, type WorldDevice } from './world.js';
import { connectionOf, exportOfKey, passwordHash } from './world-exporter.js';

/** The initiator of a {@link World}. */
export function worldInitiator(world: World, machine: LocalMachine) {
  const { connections, exports, devices } = world;
  const answer = ({ exportId, sizeBytes }: WorldConnection): NodeConnection<'iscsi'> => ({
    connection: connectionOf({ exportId, volumeId: exports.get(exportId)?.volumeId ?? 'vol-00000000000000000' }),
    devicePath: devicePath(exportId),
    sizeBytes,
  });
  return {
    getIdentity: (call: Call) => world.look(call, 'getIdentity', undefined, () => ({ initiators: ['iqn.2009-01.world:node'] })),
    connect: (call: Call, request: ConnectRequest<'iscsi'>) =>
      world.change(machine, call, 'connect', request, request.attachmentId, () => {
        const exportId = exportOfKey(request.connection.key);
        const exported = exports.get(exportId);
        if (exported === undefined) throw new VbsError('UNAVAILABLE', `the target does not know ${exportId}`);
        if (passwordHash(request.connection.chap) !== exported.passwordHash) world.violate(`the node has no password for ${exportId}`);
        if (exported.revoked) throw new VbsError('PERMISSION_DENIED', `the target refuses ${exportId}`);
        if (exported.sizeBytes !== request.sizeBytes) throw new VbsError('FAILED_PRECONDITION', `${exportId} has another size`);
        const connection = { exportId, sizeBytes: exported.sizeBytes, session: true };
        connections.put(exportId, connection);
        return answer(connection);
      }),
    disconnect: (call: Call, request: ConnectionRequest<'iscsi'>) =>
      world.change(machine, call, 'disconnect', request, request.attachmentId, () => {
        const exportId = exportOfKey(request.connection.key);
        const held = devices.list().find(({ path }) => path === devicePath(exportId));
        const fenced = connections.get(exportId)?.session === false;
        if (held !== undefined && !fenced) world.violate(`${exportId} was disconnected under ${held.slot} of ${held.vm}`);
        if (held !== undefined) throw new VbsError('FAILED_PRECONDITION', `${held.slot} of ${held.vm} holds ${exportId}`);
        connections.remove(exportId);
      }),
    listConnections: (call: Call) => world.look(call, 'listConnections', undefined, () => connections.list().map(answer)),
    extendConnection: (call: Call, request: ConnectionRequest<'iscsi'> & { readonly sizeBytes: number }) =>
      world.change(machine, call, 'extendConnection', request, request.attachmentId, () => {
        const exportId = exportOfKey(request.connection.key);
        const sizeBytes = exports.get(exportId)?.sizeBytes;
        const connection = connections.get(exportId);
        if (sizeBytes === undefined || connection === undefined) throw new VbsError('NOT_FOUND', `the node has no ${exportId}`);
        connections.put(exportId, { ...connection, sizeBytes });
        return { sizeBytes };
      }),
  };
}

const pathOf = (source: DeviceSource): string => {
  if (source.kind === 'block') return source.path;
  throw new VbsError('INVALID_ARGUMENT', 'the world opens no protocol itself');
};

/** The hypervisor of a {@link World}: every VM whose name begins with `vm` exists, unless the setting `gone-<name>` is there. */
export function worldHypervisor(world: World, machine: LocalMachine) {
  const { devices, connections } = world;
  const requireVm = (vm: string): void => {
    if (!vm.startsWith('vm') || world.settings.get(`gone-${vm}`) !== undefined)
      throw new VbsError('NOT_FOUND', `the world has no VM ${vm}`);
  };
  const answer = ({ vm, slot, path, access }: WorldDevice): AttachedDevice => ({
    vm,
    slot,
    source: { kind: 'block', path },
    access,
    state: 'attached',
  });
  /** The device in a slot, if it is of this source. */
  const inSlot = ({ vm, slot, source }: DeviceRequest): WorldDevice | undefined => {
    const found = devices.get(`${vm}.${slot}`);
    if (found !== undefined && found.path !== pathOf(source))
      throw new VbsError('FAILED_PRECONDITION', `${slot} of ${vm} holds ${found.path}`);
    return found;
  };
  return {
    identifyVm: (call: Call, request: { readonly vmId: string }) =>
      world.look(call, 'identifyVm', request, () => {
        requireVm(request.vmId);
        return { key: request.vmId, running: true };
      }),
    canonicalSlot: (call: Call, request: { readonly vm: string; readonly device: string }) =>
      world.look(call, 'canonicalSlot', request, () => ({ slot: request.device })),
    attachDevice: (call: Call, request: AttachDeviceRequest) =>
      world.change(machine, call, 'attachDevice', request, request.attachmentId, () => {
        requireVm(request.vm);
        if (inSlot(request) !== undefined) return;
        const path = pathOf(request.source);
        if (connections.get(exportOfPath(path))?.session !== true) throw new VbsError('NOT_FOUND', `the node has no ${path}`);
        const device = { vm: request.vm, slot: request.slot, path, access: request.access, sizeBytes: request.sizeBytes };
        const volumeId = world.behind(device)?.volume.id;
        const [other] = volumeId === undefined || request.access !== 'read-write' ? [] : world.writersOf(volumeId);
        if (other !== undefined) world.violate(`${volumeId} became writable in ${request.vm} and in ${other.vm}`);
        devices.put(`${request.vm}.${request.slot}`, device);
      }),
    detachDevice: (call: Call, request: DeviceRequest) =>
      world.change(machine, call, 'detachDevice', request, request.attachmentId, (): { readonly result: DetachResult } => {
        if (inSlot(request) !== undefined) devices.remove(`${request.vm}.${request.slot}`);
        return { result: 'detached' };
      }),
    listDevices: (call: Call) => world.look(call, 'listDevices', undefined, () => devices.list().map(answer)),
    extendDevice: (call: Call, request: DeviceRequest & { readonly sizeBytes: number }) =>
      world.change(machine, call, 'extendDevice', request, request.attachmentId, () => {
        const device = inSlot(request);
        const sizeBytes = connections.get(exportOfPath(pathOf(request.source)))?.sizeBytes;
        if (device === undefined || sizeBytes === undefined) throw new VbsError('NOT_FOUND', `${request.slot} of ${request.vm} is empty`);
        devices.put(`${request.vm}.${request.slot}`, { ...device, sizeBytes });
        return { sizeBytes };
      }),
  };
}
