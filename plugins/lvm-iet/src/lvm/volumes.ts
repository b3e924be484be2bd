import { type BackendCloneRequest, type BackendVolume, type BackendVolumeRequest, type Call, VbsError } from '@vbs/core';
import { backendVolume, type Contents, type FoundVolume, isListed } from './contents.js';
import { afterChange } from './map-error.js';
import { zeroStretch } from './pieces.js';
import type { LvmPool } from './pool.js';
import { removeVolume } from './remove.js';
import { requireRoomFor } from './requests.js';
import { requireUsable } from './snapshots.js';
import { bytesTag, stateTag } from './tags.js';
import { requireThinRoom } from './thin-room.js';

type Volume = BackendVolume<'block'>;

export async function createVolume(call: Call, pool: LvmPool, contents: Contents, request: BackendVolumeRequest): Promise<Volume> {
  const { id, sizeBytes } = request;
  const toBeFilled = request.toBeFilled === true;
  const { lvm, storeTag } = pool;
  const thick = lvm.settings.thinPool === undefined;
  const found = contents.find(id);
  if (found !== undefined && isListed(found)) return existing(found, sizeBytes, toBeFilled);
  const goesOn = thick && !toBeFilled && found?.state === 'making' && found.lv.sizeBytes === sizeBytes;
  if (found !== undefined && !goesOn) await removeVolume(call, pool, contents, found.lv);
  requireThinRoom(contents.view, lvm.settings, sizeBytes);
  if (!thick) {
    const tag = stateTag(toBeFilled ? 'filling' : 'ready');
    const making = stateTag('making');
    await lvm.change(call, id, 'createThin', { id, size: sizeBytes, thinPool: lvm.settings.thinPool ?? '', storeTag, stateTag: making });
    // LVM names a thin volume first and makes it in the pool then: one that it was killed over has a name alone.
    await afterChange(() => lvm.change(call, id, 'retag', { id, tag, oldTag: making }));
    return made(pool, id, sizeBytes, toBeFilled);
  }
  if (!goesOn) {
    const values = { id, size: sizeBytes, storeTag, stateTag: stateTag(toBeFilled ? 'filling' : 'making'), bytesTag: bytesTag(sizeBytes) };
    await lvm.change(call, id, 'createThick', values);
  }
  // What a fill does not write, it zeroes at its end.
  if (toBeFilled) return made(pool, id, sizeBytes, true);
  return await afterChange(async () => {
    const volume = made(pool, id, sizeBytes, false);
    const stretch = { id, path: volume.locator.path, fromBytes: 0, toBytes: sizeBytes, extentBytes: contents.view.group.extentBytes };
    await zeroStretch(call, lvm, stretch, (doneBytes) => call.progress(doneBytes, sizeBytes));
    await lvm.change(call, id, 'retag', { id, tag: stateTag('ready'), oldTag: stateTag('making') });
    return volume;
  });
}

/** A thin snapshot of the thin snapshot; nobody's until it is as large as asked. */
export async function cloneVolume(call: Call, pool: LvmPool, contents: Contents, request: BackendCloneRequest): Promise<Volume> {
  const { id, sizeBytes, snapshotId } = request;
  const { lvm, storeTag } = pool;
  const found = contents.find(id);
  if (found !== undefined && isListed(found)) return existing(found, sizeBytes, false);
  const snapshot = contents.requireSnapshot(snapshotId);
  requireUsable(snapshot);
  requireRoomFor(snapshot.sizeBytes, sizeBytes);
  if (found !== undefined) await removeVolume(call, pool, contents, found.lv);
  requireThinRoom(contents.view, lvm.settings, sizeBytes);
  await lvm.change(call, id, 'cloneThin', { id, snapshotId, storeTag, stateTag: stateTag('making') });
  await afterChange(async () => {
    if (sizeBytes > snapshot.sizeBytes) await lvm.change(call, id, 'extend', { id, size: sizeBytes });
    await lvm.change(call, id, 'retag', { id, tag: stateTag('ready'), oldTag: stateTag('making') });
  });
  return made(pool, id, sizeBytes, false);
}

/** What is added to a thick volume is zeroed before it is listed; the guest of an attached volume may see it, but nothing of others. */
export async function extendVolume(call: Call, pool: LvmPool, contents: Contents, id: string, sizeBytes: number): Promise<Volume> {
  const found = contents.requireVolume(id);
  const { lvm } = pool;
  const { extentBytes } = contents.view.group;
  if (found.state === 'filling') {
    throw new VbsError('FAILED_PRECONDITION', `${id} is being filled from a snapshot: extend it when it is whole.`, { resource: id });
  }
  if (found.bytes >= sizeBytes) return backendVolume(found);
  const dependants = contents.dependants(id);
  if (dependants.length > 0) {
    const message = `${id} has classic snapshots (${dependants.join(', ')}), and LVM grows no origin that is active: delete them first.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: id, context: { dependants } });
  }
  const toBytes = Math.max(sizeBytes, found.lv.sizeBytes);
  if (toBytes > found.lv.sizeBytes) {
    requireThinRoom(contents.view, lvm.settings, toBytes - found.lv.sizeBytes);
    await lvm.change(call, id, 'extend', { id, size: toBytes });
  }
  if (lvm.settings.thinPool === undefined) {
    await afterChange(async () => {
      const stretch = { id, path: found.lv.path, fromBytes: found.bytes, toBytes, extentBytes };
      await zeroStretch(call, lvm, stretch, (doneBytes) => call.progress(doneBytes - found.bytes, toBytes - found.bytes));
      await lvm.change(call, id, 'retag', { id, tag: bytesTag(toBytes), oldTag: bytesTag(found.bytes) });
    });
  }
  return { ...backendVolume(found), sizeBytes: toBytes };
}

function existing(found: FoundVolume, sizeBytes: number, toBeFilled: boolean): Volume {
  const { id, bytes, state } = found;
  const refuse = (message: string): VbsError =>
    new VbsError('ALREADY_EXISTS', message, { resource: id, context: { sizeBytes: bytes, asked: sizeBytes } });
  if (bytes !== sizeBytes) throw refuse(`${id} exists with ${bytes} bytes, not ${sizeBytes}.`);
  if (state === 'filling' && !toBeFilled) throw refuse(`${id} exists, and is to be filled from a snapshot: it is not whole.`);
  return backendVolume(found);
}

/** A volume as the next look shows it. */
function made({ lvm }: LvmPool, id: string, sizeBytes: number, filling: boolean): Volume {
  const volume = { id, sizeBytes, locator: { kind: 'block', path: `/dev/${lvm.settings.volumeGroup}/${id}` } } as const;
  return filling ? { ...volume, filling: true } : volume;
}
