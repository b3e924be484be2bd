import { type BackendSnapshot, type BackendVolume, type Call, type PopulateVolumeRequest, VbsError } from '@vbs/core';
import { backendVolume, type Contents, isListed } from './contents.js';
import { afterChange } from './map-error.js';
import { copyStretch, zeroStretch } from './pieces.js';
import type { LvmPool } from './pool.js';
import { removeLv } from './remove.js';
import { requireFromBytes, requireRoomFor } from './requests.js';
import { bytesTag, stateTag, volumeTag } from './tags.js';
import { requireThinRoom } from './thin-room.js';

/**
 * One lvcreate, which lets no write through while it takes the snapshot. One that was killed can leave an LV with all its tags whose
 * content the kernel was never told to keep, and would take later (safety C2): the snapshot is there when its state was changed.
 */
export async function createSnapshot(
  call: Call,
  pool: LvmPool,
  contents: Contents,
  { id, volumeId }: { readonly id: string; readonly volumeId: string },
): Promise<BackendSnapshot> {
  const known = contents.snapshots().find((snapshot) => snapshot.id === id);
  if (known !== undefined) {
    if (known.volumeId === volumeId) return known;
    throw new VbsError('ALREADY_EXISTS', `${id} is a snapshot of ${known.volumeId}, not of ${volumeId}.`, { resource: id });
  }
  const { lvm, storeTag } = pool;
  const { lv, state, bytes } = contents.requireVolume(volumeId);
  if (state === 'filling') {
    const message = `${volumeId} is being filled from a snapshot: take the snapshot when it is whole.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: volumeId });
  }
  if (contents.ownLv(id) !== undefined) await removeLv(call, pool, id);
  else if (contents.lv(id) !== undefined) throw contents.foreign(id);
  const thick = lvm.settings.thinPool === undefined;
  const values = { id, volumeId, storeTag, stateTag: stateTag('making'), volumeTag: volumeTag(volumeId) };
  if (thick) {
    const { snapshotPercent: percent } = lvm.settings;
    await lvm.change(call, id, 'snapshotThick', { ...values, percent, bytesTag: bytesTag(bytes) });
  } else {
    requireThinRoom(contents.view, lvm.settings, lv.sizeBytes);
    await lvm.change(call, id, 'snapshotThin', values);
  }
  await afterChange(() => lvm.change(call, id, 'retag', { id, tag: stateTag('ready'), oldTag: stateTag('making') }));
  return { id, volumeId, sizeBytes: thick ? bytes : lv.sizeBytes };
}

/** A full copy by dd, then zeros behind it; the change of its state's tag makes the volume whole. */
export async function populateVolume(
  call: Call,
  pool: LvmPool,
  contents: Contents,
  { id, snapshotId, fromBytes }: PopulateVolumeRequest,
): Promise<BackendVolume<'block'>> {
  const found = contents.requireVolume(id);
  if (isListed(found) && found.state === 'ready') return backendVolume(found);
  const { lvm } = pool;
  const { extentBytes } = contents.view.group;
  const snapshot = contents.requireSnapshot(snapshotId);
  requireUsable(snapshot);
  requireFromBytes(fromBytes, snapshot.sizeBytes);
  requireRoomFor(snapshot.sizeBytes, found.bytes);
  const source = contents.lv(snapshotId);
  if (source === undefined) throw new VbsError('NOT_FOUND', `The pool has no snapshot ${snapshotId}.`, { resource: snapshotId });
  return await afterChange(async () => {
    // A thin snapshot is not active until it is needed.
    if (!source.attributes.active) await lvm.change(call, id, 'activate', { id: snapshotId });
    const { path } = found.lv;
    const copied = {
      id,
      path,
      source: source.path,
      fromBytes: fromBytes - (fromBytes % extentBytes),
      toBytes: snapshot.sizeBytes,
      extentBytes,
    };
    let doneBytes = fromBytes;
    await copyStretch(call, lvm, copied, (toBytes) => {
      doneBytes = Math.max(doneBytes, toBytes);
      call.progress(doneBytes, snapshot.sizeBytes);
    });
    if (lvm.settings.thinPool === undefined) {
      const behind = { id, path, fromBytes: snapshot.sizeBytes, toBytes: found.bytes, extentBytes };
      await zeroStretch(call, lvm, behind, () => call.progress(snapshot.sizeBytes, snapshot.sizeBytes));
    }
    await lvm.change(call, id, 'retag', { id, tag: stateTag('ready'), oldTag: stateTag('filling') });
    return backendVolume({ ...found, state: 'ready' });
  });
}

/** @throws FAILED_PRECONDITION: its content is lost. */
export function requireUsable({ id, invalid }: BackendSnapshot): void {
  if (invalid === undefined) return;
  throw new VbsError('FAILED_PRECONDITION', `The snapshot ${id} is invalid: ${invalid}.`, { resource: id, context: { invalid } });
}
