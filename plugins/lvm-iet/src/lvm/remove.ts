import { setTimeout as pause } from 'node:timers/promises';
import { type Call, isVbsError, VbsError } from '@vbs/core';
import type { Contents } from './contents.js';
import { afterChange } from './map-error.js';
import type { LogicalVolume } from './parse-report.js';
import { discardStretch, type Stretch, zeroStretch } from './pieces.js';
import type { LvmPool } from './pool.js';
import { stateIn, stateTag } from './tags.js';

const looksWhileOpen = 5;
const pauseMs = 1_000;

/** Wipes an LV of this store as configured, and removes it. @throws FAILED_PRECONDITION: something holds it open. */
export async function removeVolume(call: Call, pool: LvmPool, contents: Contents, lv: LogicalVolume): Promise<void> {
  const { wipe, thinPool } = pool.lvm.settings;
  // What a thin volume gives back, the pool zeroes before it gives it out again.
  if (wipe === 'none' || thinPool !== undefined) return await removeLv(call, pool, lv.name);
  const state = stateIn(lv.tags);
  if (state !== 'deleting') {
    await requireClosed(call, pool, lv);
    const values = { id: lv.name, tag: stateTag('deleting'), oldTag: stateTag(state ?? 'making') };
    await pool.lvm.change(call, lv.name, 'retag', values);
  }
  await afterChange(async () => {
    if (!lv.attributes.active) await pool.lvm.change(call, lv.name, 'activate', { id: lv.name });
    const { extentBytes } = contents.view.group;
    const stretch: Stretch = { id: lv.name, path: lv.path, fromBytes: 0, toBytes: lv.sizeBytes, extentBytes };
    const clear = wipe === 'zero' ? zeroStretch : discardStretch;
    await clear(call, pool.lvm, stretch, (doneBytes) => call.progress(doneBytes, lv.sizeBytes));
    await removeLv(call, pool, lv.name);
  });
}

/** LVM looks once more, under the group's lock, that it bears this store's tag and is no classic origin (safety C3). */
export async function removeLv(call: Call, pool: LvmPool, id: string): Promise<void> {
  try {
    const { stdout } = await pool.lvm.change(call, id, 'remove', { id, storeTag: pool.storeTag });
    if (stdout.includes('successfully removed')) return;
  } catch (error) {
    if (isVbsError(error) && error.code === 'NOT_FOUND') return;
    throw error;
  }
  const message = `LVM left ${id} in place: it lost this store's tag, or became the origin of a classic snapshot, a moment ago.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: id });
}

/** udev opens a device for a moment when somebody else has closed it. */
async function requireClosed(call: Call, pool: LvmPool, lv: LogicalVolume): Promise<void> {
  let open = lv.attributes.open;
  for (let look = 1; open && look < looksWhileOpen; look++) {
    await pause(pauseMs, undefined, { signal: call.signal });
    const { group } = await pool.see(call);
    open = group.volumes.some(({ name, attributes }) => name === lv.name && attributes.open);
  }
  if (!open) return;
  const message = `${lv.path} is open: end what uses it (its export, a mount), then delete ${lv.name} again.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: lv.name });
}
