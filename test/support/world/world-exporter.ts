import { createHash } from 'node:crypto';
import {
  type BackendVolume,
  type Call,
  type ChapCredentials,
  type ConnectionInfo,
  type ExportRequest,
  type LocalMachine,
  type TargetExport,
  VbsError,
} from '@vbs/core';
import { devicePath, type World, type WorldExport } from './world.js';

/** How an export of the world is reached. */
export function connectionOf({ exportId, volumeId }: Pick<WorldExport, 'exportId' | 'volumeId'>): ConnectionInfo<'iscsi'> {
  const iqn = `iqn.2009-01.world:${exportId}`;
  return { protocol: 'iscsi', key: `${iqn}/1`, portals: ['127.0.0.1:3260'], iqn, lun: 1, serial: volumeId.replace('-', '') };
}

export const exportOfKey = (key: string): string => key.slice('iqn.2009-01.world:'.length, -'/1'.length);

/** What the world keeps of a CHAP password. */
export const passwordHash = (credentials: ChapCredentials | undefined): string | null =>
  credentials === undefined ? null : createHash('sha256').update(`${credentials.user}:${credentials.password.reveal()}`).digest('hex');

/** The target of a {@link World}. */
export function worldExporter(world: World, machine: LocalMachine) {
  const { volumes, exports, connections, devices } = world;
  const make = ({ exportId, volume, access, address, chap }: ExportRequest): ConnectionInfo<'iscsi'> => {
    if (address === undefined) world.violate(`${exportId} was made without the address that is declared`);
    const found = exports.get(exportId);
    const same = found === undefined || (found.volumeId === volume.id && found.access === access);
    if (!same) throw new VbsError('ALREADY_EXISTS', `${exportId} serves another volume or access mode`);
    const hash = passwordHash(chap);
    if (hash === null) return world.violate(`${exportId} was made without the password that chap declares`);
    if (found !== undefined && found.passwordHash !== hash) world.violate(`${exportId} was given another password`);
    const taken = exports.list().find((other) => other.address === address && other.exportId !== exportId);
    if (taken !== undefined) world.violate(`${exportId} was given the address ${address} of ${taken.exportId}`);
    const { sizeBytes, fill } = volumes.get(volume.id) ?? {};
    if (fill === 'to-do') world.violate(`${volume.id} was exported while it is filled`);
    if (sizeBytes === undefined) throw new VbsError('NOT_FOUND', `the world has no ${volume.id}`);
    if (found === undefined)
      exports.put(exportId, {
        exportId,
        volumeId: volume.id,
        access,
        address: address ?? null,
        sizeBytes,
        revoked: false,
        passwordHash: hash,
      });
    const connection = connections.get(exportId);
    // An initiator keeps trying: its session is back as soon as its target is.
    if (connection !== undefined && found?.revoked !== true) connections.put(exportId, { ...connection, session: true });
    return connectionOf({ exportId, volumeId: volume.id });
  };
  const list = (exported: WorldExport): TargetExport<'iscsi'> => ({
    exportId: exported.exportId,
    connection: connectionOf(exported),
    access: exported.access,
    sizeBytes: exported.sizeBytes,
    sessions: connections.get(exported.exportId)?.session === true ? [{ initiator: 'iqn.2009-01.world:node' }] : [],
  });

  return {
    reach: 'loopback' as const,
    addresses: { space: 'world', first: 1, last: 4096 },
    createExport: (call: Call, request: ExportRequest) =>
      world.change(machine, call, 'createExport', request, request.exportId, () => make(request)),
    deleteExport: (call: Call, request: { readonly exportId: string }) =>
      world.change(machine, call, 'deleteExport', request, request.exportId, () => {
        const { exportId } = request;
        const held = devices.list().find(({ path }) => path === devicePath(exportId));
        const session = connections.get(exportId)?.session === true;
        if (held !== undefined && session) world.violate(`${exportId} was deleted under ${held.slot} of ${held.vm}`);
        if (session) throw new VbsError('FAILED_PRECONDITION', `${exportId} has a session`);
        exports.remove(exportId);
      }),
    listExports: (call: Call) => world.look(call, 'listExports', undefined, () => exports.list().map(list)),
    async ensureExports(call: Call, request: { readonly exports: readonly ExportRequest[] }): Promise<void> {
      for (const one of request.exports) await world.change(machine, call, 'ensureExports', request, one.exportId, () => make(one));
    },
    revokeAccess: (call: Call, request: { readonly exportId: string }) =>
      world.change(machine, call, 'revokeAccess', request, request.exportId, () => {
        const { exportId } = request;
        const exported = exports.get(exportId);
        const connection = connections.get(exportId);
        if (exported === undefined) throw new VbsError('NOT_FOUND', `the world has no ${exportId}`);
        exports.put(exportId, { ...exported, revoked: true });
        if (connection !== undefined) connections.put(exportId, { ...connection, session: false });
      }),
    extendExport: (call: Call, request: { readonly exportId: string; readonly volume: BackendVolume }) =>
      world.change(machine, call, 'extendExport', request, request.exportId, () => {
        const exported = exports.get(request.exportId);
        const volume = volumes.get(request.volume.id);
        if (exported === undefined || volume === undefined) throw new VbsError('NOT_FOUND', `the world has no ${request.exportId}`);
        exports.put(request.exportId, { ...exported, sizeBytes: volume.sizeBytes });
        return { sizeBytes: volume.sizeBytes };
      }),
  };
}
