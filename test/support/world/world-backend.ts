import { type BackendSnapshot, type BackendVolume, type BackendVolumeRequest, type Call, type LocalMachine, VbsError } from '@vbs/core';
import { blockBytes, type World, type WorldSnapshot, type WorldVolume } from './world.js';

const totalBytes = 2 ** 40;

/** The storage of a {@link World}. */
export function worldBackend(world: World, machine: LocalMachine) {
  const { volumes, snapshots, exports, options } = world;
  // A volume that is not whole lies elsewhere, so that a locator of before is seen to be wrong.
  const answer = ({ id, sizeBytes, fill }: WorldVolume): BackendVolume<'block'> => ({
    id,
    sizeBytes,
    locator: { kind: 'block', path: fill === 'to-do' ? `/world/${id}.filling` : `/world/${id}` },
    ...(fill === 'to-do' ? { filling: true } : {}),
  });
  const told = ({ id, volumeId, sizeBytes }: WorldSnapshot): BackendSnapshot => ({ id, volumeId, sizeBytes });
  const required = <T>(found: T | undefined, id: string): T => {
    if (found === undefined) throw new VbsError('NOT_FOUND', `the world has no ${id}`);
    return found;
  };
  const make = ({ id, sizeBytes }: BackendVolumeRequest, volume: Pick<WorldVolume, 'blocks' | 'fill'>): BackendVolume<'block'> => {
    const found = volumes.get(id);
    if (found !== undefined && found.sizeBytes !== sizeBytes) throw new VbsError('ALREADY_EXISTS', `${id} has another size`);
    if (found === undefined) volumes.put(id, { id, sizeBytes, ...volume });
    return answer(required(volumes.get(id), id));
  };
  const capabilities = [
    'snapshot',
    'extend',
    ...(options.liveSnapshot === true ? (['live-snapshot'] as const) : []),
    ...(options.instantClone === true ? (['instant-clone'] as const) : []),
  ] as const;

  return {
    granularityBytes: blockBytes,
    snapshotKind: 'independent' as const,
    capabilities: new Set(capabilities),
    createVolume: (call: Call, request: BackendVolumeRequest) =>
      world.change(machine, call, 'createVolume', request, request.id, () =>
        make(request, { blocks: [], ...(request.toBeFilled === true ? { fill: 'to-do' } : {}) }),
      ),
    deleteVolume: (call: Call, request: { readonly id: string }) =>
      world.change(machine, call, 'deleteVolume', request, request.id, () => {
        if (exports.list().some(({ volumeId }) => volumeId === request.id)) world.violate(`${request.id} was deleted while it is exported`);
        volumes.remove(request.id);
      }),
    listVolumes: (call: Call) => world.look(call, 'listVolumes', undefined, () => volumes.list().map(answer)),
    getCapacity: (call: Call) =>
      world.look(call, 'getCapacity', undefined, () => ({ totalBytes, availableBytes: totalBytes, provisionedBytes: 0 })),
    async markEpoch(_call: Call, request: { readonly epoch: number }) {
      const epoch = Math.max(request.epoch, Number(world.settings.get('pool-epoch') ?? 0));
      world.settings.put('pool-epoch', String(epoch));
      return { epoch };
    },
    createSnapshot: (call: Call, request: { readonly id: string; readonly volumeId: string }) =>
      world.change(machine, call, 'createSnapshot', request, request.id, () => {
        const { sizeBytes, blocks, fill } = required(volumes.get(request.volumeId), request.volumeId);
        if (fill === 'to-do') world.violate(`a snapshot of ${request.volumeId} was taken while it is filled`);
        const [writer] = world.writersOf(request.volumeId);
        if (options.liveSnapshot !== true && writer !== undefined)
          world.violate(`a snapshot of ${request.volumeId} was taken under ${writer.vm}`);
        const found = snapshots.get(request.id);
        if (found === undefined) snapshots.put(request.id, { ...request, sizeBytes, blocks });
        return told(required(snapshots.get(request.id), request.id));
      }),
    deleteSnapshot: (call: Call, request: { readonly id: string }) =>
      world.change(machine, call, 'deleteSnapshot', request, request.id, () => snapshots.remove(request.id)),
    listSnapshots: (call: Call) => world.look(call, 'listSnapshots', undefined, () => snapshots.list().map(told)),
    populateVolume: (call: Call, request: { readonly id: string; readonly snapshotId: string; readonly fromBytes: number }) =>
      world.change(machine, call, 'populateVolume', request, request.id, async () => {
        const snapshot = required(snapshots.get(request.snapshotId), request.snapshotId);
        // Looked at once, as a tool does that copies: what happens to the volume meanwhile it does not see.
        const before = required(volumes.get(request.id), request.id);
        if (before.fill === 'done') return answer(before);
        for (let block = request.fromBytes / blockBytes; block < snapshot.sizeBytes / blockBytes; block += 1) {
          call.signal.throwIfAborted();
          const volume = required(volumes.get(request.id), request.id);
          const blocks = [...volume.blocks];
          blocks[block] = snapshot.blocks[block] ?? '';
          volumes.put(request.id, { ...volume, blocks });
          world.noteEffect(call, 'copy', request.id, { fromBytes: block * blockBytes });
          call.progress((block + 1) * blockBytes, snapshot.sizeBytes);
          await options.onBlock?.(block);
        }
        volumes.put(request.id, { ...required(volumes.get(request.id), request.id), fill: 'done' });
        return answer(required(volumes.get(request.id), request.id));
      }),
    cloneVolume: (call: Call, request: { readonly id: string; readonly sizeBytes: number; readonly snapshotId: string }) =>
      world.change(machine, call, 'cloneVolume', request, request.id, () =>
        make(request, { blocks: required(snapshots.get(request.snapshotId), request.snapshotId).blocks }),
      ),
    extendVolume: (call: Call, request: { readonly id: string; readonly sizeBytes: number }) =>
      world.change(machine, call, 'extendVolume', request, request.id, () => {
        const volume = required(volumes.get(request.id), request.id);
        volumes.put(request.id, { ...volume, sizeBytes: Math.max(volume.sizeBytes, request.sizeBytes) });
        return answer(required(volumes.get(request.id), request.id));
      }),
  };
}
