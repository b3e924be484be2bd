import { type Call, isVbsError, unlessCode, VbsError } from '@vbs/core';
import { lunOf } from './compare.js';
import { isBusy, isRefusal } from './map-error.js';
import type { IetUser } from './parse-users.js';
import type { SeenTarget } from './proc.js';
import type { Tools } from './tools.js';

/** Accounts of a target id, of whichever target that had it: they outlive targets. */
export async function clearUsers(call: Call, { ietadm }: Tools, exportId: string, tid: number): Promise<void> {
  for (const user of await ietadm.users(call, tid)) await unlessCode('NOT_FOUND', ietadm.deleteUser(call, exportId, tid, user));
}

/** Ends also where ietd refuses it, if the LUN is not there. */
export async function deleteLun(call: Call, { ietadm, proc }: Tools, exportId: string, { tid, iqn }: SeenTarget): Promise<void> {
  try {
    await ietadm.deleteLun(call, exportId, tid);
  } catch (error) {
    if (!isRefusal(error) && !(isVbsError(error) && error.code === 'NOT_FOUND')) throw error;
    const target = (await proc.volumes(call)).find((one) => one.iqn === iqn);
    if (target !== undefined && lunOf(target) !== undefined) throw error;
  }
}

/**
 * Removes a target that lets nobody in: LUN, accounts, target, and its line at the end, when /proc shows that it is gone. Until then the
 * line keeps everybody out, whatever the lines below it say.
 * @throws UNAVAILABLE: somebody whose login had begun before came in after the last look; nothing is served to him.
 */
export async function takeAway(
  call: Call,
  tools: Tools,
  target: SeenTarget,
  { exportId, users }: { readonly exportId: string; readonly users: readonly IetUser[] | 'unknown' },
): Promise<void> {
  const { ietadm, proc, list } = tools;
  if (lunOf(target) !== undefined) await deleteLun(call, tools, exportId, target);
  if (users === 'unknown') await clearUsers(call, tools, exportId, target.tid);
  else for (const user of users) await unlessCode('NOT_FOUND', ietadm.deleteUser(call, exportId, target.tid, user));
  try {
    await unlessCode('NOT_FOUND', ietadm.deleteTarget(call, exportId, target.tid));
  } catch (error) {
    // Some versions say it in the words of every other refusal.
    if (!isBusy(error) && !(isRefusal(error) && (await hasSessions(call, tools, target)))) throw error;
    const message = `Somebody came in to ${exportId} while it was taken away; its volume is not served any more. Try again, or revoke access.`;
    throw new VbsError('UNAVAILABLE', message, { resource: exportId, cause: error });
  }
  if ((await proc.volumes(call)).some((one) => one.iqn === target.iqn)) {
    throw new VbsError('INTERNAL', `ietd took the removal of ${target.iqn}, and has it still.`, { resource: exportId });
  }
  await list.remove(call, exportId, target.iqn);
}

async function hasSessions(call: Call, { proc }: Tools, { iqn }: SeenTarget): Promise<boolean> {
  return (await proc.targets(call)).some((one) => one.iqn === iqn && one.sessions.length > 0);
}
