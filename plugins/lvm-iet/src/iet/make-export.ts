import { type Call, errorTable, isVbsError, VbsError } from '@vbs/core';
import { inspectVolume } from '@vbs/core/exporter-support';
import { decidingLine, ownLine } from './allow-file.js';
import { isWhole, lunOf, refuseOther, refuseSharedPath } from './compare.js';
import { closed } from './delete-export.js';
import { isRefusal } from './map-error.js';
import type { IetTarget } from './parse-volumes.js';
import type { SeenTarget } from './proc.js';
import type { WantedExport } from './requests.js';
import { dropSessions } from './sessions.js';
import { clearUsers, takeAway } from './take-away.js';
import { type Look, look, type Tools } from './tools.js';

/**
 * Makes an export, or what is missing of it: target, account, access list, and the LUN last, so that one with a LUN is whole. Until the
 * account is there the access list lets nobody in.
 * @throws as createExport.
 */
export async function makeExport(call: Call, tools: Tools, wanted: WantedExport, known?: Look): Promise<void> {
  const { list } = tools;
  const { exportId, iqn } = wanted;
  const { targets, allow } = known ?? (await look(call, tools));
  const own = ownLine(allow, iqn);
  const target = targets.find((one) => one.iqn === iqn);
  refuseOther(target, own, wanted);
  if (target !== undefined && isWhole(target, allow, wanted)) return;
  refuseUser(wanted);
  await refuseVolume(call, tools, wanted);
  refuseSharedPath(targets, wanted);
  list.refuseShadow(allow, iqn);
  if (target !== undefined && lunOf(target) !== undefined) {
    // Its line alone was lost, or its removal was broken off.
    await list.set(call, exportId, wanted.open);
    return;
  }
  if (target === undefined) await clearHolder(call, tools, wanted, targets);
  // Without an account IET asks nobody for a secret, and whoever is in sees the LUN when it comes.
  if (own?.state !== 'making' && (target !== undefined || decidingLine(allow, iqn) !== undefined)) {
    await list.set(call, exportId, closed(wanted.open, 'making'));
  }
  if (target !== undefined) {
    await dropSessions(call, tools, exportId, target);
    await complete(call, tools, wanted);
    return;
  }
  await createTarget(call, tools, wanted);
  try {
    await complete(call, tools, wanted);
  } catch (error) {
    throw await unmade(call, tools, wanted, error);
  }
}

function refuseUser({ exportId, request: { chap } }: WantedExport): void {
  if (chap === undefined || chap.user === exportId) return;
  throw new VbsError('INVALID_ARGUMENT', 'chap.user must be the export id.', { resource: exportId, context: { field: 'chap.user' } });
}

/** @throws NOT_FOUND, PERMISSION_DENIED. FAILED_PRECONDITION: it is smaller than the volume, or ietd would let everybody in. */
async function refuseVolume(call: Call, tools: Tools, { exportId, lun, request: { volume } }: WantedExport): Promise<void> {
  const [sizeBytes] = await Promise.all([inspectVolume(call, tools, volume.locator, 'ietd'), tools.list.refuseDenyFile(call)]);
  if (sizeBytes >= volume.sizeBytes) return;
  const message = `${lun.path} has ${sizeBytes} bytes, and the volume ${volume.id} has ${volume.sizeBytes}.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { sizeBytes } });
}

/** The core gave this target id to this export: what an operation that was broken off left there, and serves nothing, may go. */
async function clearHolder(call: Call, tools: Tools, { exportId, tid }: WantedExport, targets: readonly SeenTarget[]): Promise<void> {
  const holder = targets.find((target) => target.tid === tid);
  if (holder === undefined) return;
  const left = tools.names.exportId(holder.iqn);
  const own = left === undefined ? undefined : ownLine((await look(call, tools)).allow, holder.iqn);
  if (left === undefined || holder.luns.length > 0 || own?.state === 'revoked') throw taken(exportId, holder);
  call.log.warn({ tid, iqn: holder.iqn }, 'a target whose making was broken off is removed');
  if (own?.state === 'open') await tools.list.set(call, exportId, closed(own, 'closing'));
  await dropSessions(call, tools, exportId, holder);
  await takeAway(call, tools, holder, { exportId, users: 'unknown' });
}

function taken(exportId: string, { tid, iqn }: SeenTarget): VbsError {
  const message = `The target id ${tid}, which is of this exporter's range, is taken by ${iqn}. Remove that target, or configure other "tids".`;
  return new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { tid, iqn } });
}

/** @throws ABORTED: somebody else made it at this moment. FAILED_PRECONDITION: the target id is taken. */
async function createTarget(call: Call, tools: Tools, wanted: WantedExport): Promise<void> {
  const { exportId, tid, iqn } = wanted;
  try {
    await tools.ietadm.createTarget(call, exportId, tid, iqn);
  } catch (error) {
    const why = isRefusal(error) ? await whyRefused(call, tools, wanted, error) : error;
    // The line that lets nobody in is all that was made; one of the same name by now may be another process's.
    const isOurs = isVbsError(why) && errorTable[why.code].outcome === 'failed' && why.context.iqn !== iqn;
    if (isOurs) await tools.list.remove(call, exportId, iqn);
    throw why;
  }
}

async function whyRefused(call: Call, { proc }: Tools, { exportId, tid, iqn }: WantedExport, cause: unknown): Promise<unknown> {
  const targets = await proc.targets(call);
  // IET holds two spellings of a name for one.
  const namesake = targets.find((target) => target.iqn.toLowerCase() === iqn.toLowerCase());
  if (namesake !== undefined) {
    const message = `The target ${namesake.iqn} was made by somebody else; look whose it is, and try again.`;
    return new VbsError('ABORTED', message, { resource: exportId, context: { iqn: namesake.iqn }, cause });
  }
  const holder = targets.find((target) => target.tid === tid);
  return holder === undefined ? cause : taken(exportId, holder);
}

async function complete(call: Call, tools: Tools, wanted: WantedExport): Promise<void> {
  const { ietadm, list } = tools;
  const { exportId, tid, lun, open, request } = wanted;
  await clearUsers(call, tools, exportId, tid);
  if (request.chap !== undefined) await ietadm.createUser(call, exportId, tid, exportId, request.chap.password);
  await list.set(call, exportId, open);
  try {
    await ietadm.createLun(call, exportId, tid, lun);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const target = await seen(call, tools, wanted);
    if (target === undefined) {
      throw new VbsError('UNAVAILABLE', `IET lost the export ${exportId} while it was made.`, { resource: exportId, cause: error });
    }
    if (lunOf(target) !== undefined) throw error;
    const why = lun.type === 'blockio' ? 'something else may hold the device' : 'it may not open the file';
    throw new VbsError('FAILED_PRECONDITION', `ietd refused to export ${lun.path}: ${why}. Only its log tells the reason.`, {
      resource: exportId,
      context: { path: lun.path },
      cause: error,
    });
  }
  const target = await seen(call, tools, wanted);
  const made = target === undefined ? undefined : lunOf(target);
  if (made?.path === lun.path && made.mode === lun.mode) return;
  const message = `ietd took every command for ${exportId}, and shows something else.`;
  throw new VbsError('INTERNAL', message, { resource: exportId, context: { lun: made } });
}

async function seen(call: Call, { proc }: Tools, { iqn }: WantedExport): Promise<IetTarget | undefined> {
  return (await proc.volumes(call)).find((target) => target.iqn === iqn);
}

/**
 * Takes back what this call alone has made, so that a code that says "nothing changed" is true; another code, and a
 * call that was cut off, say that it is not known.
 */
async function unmade(call: Call, tools: Tools, { exportId, iqn, open }: WantedExport, error: unknown): Promise<unknown> {
  if (!isVbsError(error) || errorTable[error.code].outcome === 'unknown' || call.signal.aborted) return error;
  try {
    const target = (await tools.proc.targets(call)).find((one) => one.iqn === iqn);
    if (target === undefined) {
      await tools.list.remove(call, exportId, iqn);
      return error;
    }
    await tools.list.set(call, exportId, closed(open, 'closing'));
    await dropSessions(call, tools, exportId, target);
    await takeAway(call, tools, target, { exportId, users: 'unknown' });
    return error;
  } catch (cause) {
    const message = `${error.message} What was made of the export before could not be taken back: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new VbsError('INTERNAL', message, { resource: exportId, context: error.context, cause: error });
  }
}
