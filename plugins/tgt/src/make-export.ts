import { type Call, errorTable, isVbsError, unlessCode, VbsError } from '@vbs/core';
import { inspectVolume } from '@vbs/core/exporter-support';
import { isRevoked, isWhole, lunOf, type Missing, missingOf, refuseSharedPath, revoked, showsSize } from './compare.js';
import type { Look } from './daemon.js';
import { isInvalidRequest } from './map-error.js';
import type { TgtTarget } from './parse-targets.js';
import type { WantedExport } from './requests.js';
import type { Tools } from './tools.js';

/**
 * Makes an export, or what is missing of it: target, account, LUN, identity; all read back; then the access list. Until that is
 * written tgtd lets nobody in.
 * @throws as createExport.
 */
export async function makeExport(call: Call, tools: Tools, wanted: WantedExport, seen?: Look): Promise<void> {
  const known = seen?.targets.find(({ iqn }) => iqn === wanted.iqn);
  if (known !== undefined && isComplete(missingOf(known, wanted))) return;
  const [sizeBytes, isShut] = await Promise.all([
    inspectVolume(call, tools, wanted.request.volume.locator, 'tgtd'),
    tools.marks.has(call, wanted.exportId),
  ]);
  if (isShut) throw revoked(wanted.exportId);
  const { volume } = wanted.request;
  if (sizeBytes < volume.sizeBytes) {
    const message = `${wanted.path} has ${sizeBytes} bytes, and the volume ${volume.id} has ${volume.sizeBytes}.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: wanted.exportId, context: { sizeBytes } });
  }
  const found = known ?? (await createTarget(call, tools, wanted));
  if (found !== undefined) return complete(call, tools, wanted, found, sizeBytes);
  try {
    await complete(call, tools, wanted, { ...emptyTarget, tid: wanted.tid, iqn: wanted.iqn }, sizeBytes);
  } catch (error) {
    throw await unmade(call, tools, wanted, error);
  }
}

const emptyTarget = { state: 'ready', sessions: [], luns: [], accounts: [], acl: [] } as const;

function isComplete({ account, lun, identity, online, admitted, tooMany }: Missing): boolean {
  return !account && !lun && !identity && !online && admitted.length === 0 && tooMany.length === 0;
}

/** Undefined when it was made just now; what is there already otherwise. */
async function createTarget(call: Call, tools: Tools, wanted: WantedExport): Promise<TgtTarget | undefined> {
  const { tgtadm, daemon } = tools;
  const { exportId, tid, iqn } = wanted;
  const create = async (): Promise<boolean> =>
    (await unlessCode(
      'ALREADY_EXISTS',
      tgtadm.createTarget(call, exportId, tid, iqn).then(() => true),
    )) ?? false;
  // An own tgtd that does not run is started by the look.
  if ((await unlessCode('UNAVAILABLE', create())) === true) return undefined;
  const { targets } = await daemon.look(call);
  const found = targets.find((target) => target.iqn === iqn);
  if (found !== undefined) return found;
  const holder = targets.find((target) => target.tid === tid);
  if (holder !== undefined) await clearLeftover(call, tools, wanted, holder);
  if (await create()) return undefined;
  throw new VbsError('ABORTED', `The target ${iqn} was made by another process at this moment; try again.`, { resource: exportId });
}

/** The core gave this target id to this export: what an operation that was broken off left there, and let nobody in, may go. */
async function clearLeftover(call: Call, { tgtadm, names }: Tools, { exportId, tid }: WantedExport, holder: TgtTarget): Promise<void> {
  const left = names.exportId(holder.iqn);
  const isLeftover =
    left !== undefined && !isWhole(holder) && !isRevoked(holder) && holder.acl.length === 0 && holder.sessions.length === 0;
  if (!isLeftover) {
    const message = `The target id ${tid}, which is of this exporter's range, is taken by ${holder.iqn}. Remove that target, or configure other "tids".`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { tid, iqn: holder.iqn } });
  }
  call.log.warn({ tid, iqn: holder.iqn }, 'a target whose making was broken off is removed');
  await tgtadm.deleteTarget(call, exportId, tid);
  await unlessCode('NOT_FOUND', tgtadm.deleteAccount(call, exportId, left));
}

async function complete(call: Call, tools: Tools, wanted: WantedExport, target: TgtTarget, sizeBytes: number): Promise<void> {
  const { tgtadm, settings } = tools;
  const { exportId, tid, path, serial, readOnly, request } = wanted;
  const missing = missingOf(target, wanted);
  const { chap } = request;
  if (chap !== undefined && chap.user !== exportId) {
    throw new VbsError('INVALID_ARGUMENT', 'chap.user must be the export id.', { resource: exportId, context: { field: 'chap.user' } });
  }
  const isBare = missing.account || missing.lun || missing.identity;
  // Nobody may come in while a part is missing.
  for (const who of isBare ? target.acl : missing.tooMany) await unlessCode('NOT_FOUND', tgtadm.expel(call, exportId, tid, who));
  if (missing.account && chap !== undefined) {
    if (
      (await unlessCode(
        'ALREADY_EXISTS',
        tgtadm.createAccount(call, exportId, exportId, chap.password).then(() => true),
      )) === undefined
    ) {
      // Of an operation that was broken off; its secret cannot be read. The access list is closed: trap 1 opens nothing.
      await tgtadm.deleteAccount(call, exportId, exportId);
      await tgtadm.createAccount(call, exportId, exportId, chap.password);
    }
    await unlessCode('ALREADY_EXISTS', tgtadm.bindAccount(call, exportId, tid, exportId));
  }
  if (missing.lun) await createLun(call, tools, wanted);
  if (missing.identity) await tgtadm.identifyLun(call, exportId, tid, serial, readOnly);
  if (missing.online) await tgtadm.setLunOnline(call, exportId, tid, true);
  if (isBare) await verify(call, tools, wanted, sizeBytes);
  for (const who of isBare ? wanted.admitted : missing.admitted) await unlessCode('ALREADY_EXISTS', tgtadm.admit(call, exportId, tid, who));
  call.log.debug({ exportId, tid, flags: settings.flags, path }, 'an export was made');
}

async function createLun(call: Call, { tgtadm, settings }: Tools, { exportId, tid, path }: WantedExport): Promise<void> {
  try {
    await tgtadm.createLun(call, exportId, tid, path, settings.flags);
  } catch (error) {
    if (!isVbsError(error) || !isInvalidRequest(error)) throw error;
    const message = `tgtd may not open ${path}: the user that runs tgtd must be allowed to read and write it. Its log says more.`;
    throw new VbsError('PERMISSION_DENIED', message, { resource: exportId, context: { path }, cause: error });
  }
}

/** Reads back what was made, before anybody is let in. */
async function verify(call: Call, { daemon, names }: Tools, wanted: WantedExport, sizeBytes: number): Promise<void> {
  const { targets } = await daemon.look(call);
  refuseSharedPath(targets, wanted, names);
  const target = targets.find(({ iqn }) => iqn === wanted.iqn);
  const lun = target === undefined ? undefined : lunOf(target);
  const { exportId } = wanted;
  if (target === undefined || lun === undefined) {
    throw new VbsError('UNAVAILABLE', `tgtd lost the export ${exportId} while it was made.`, { resource: exportId });
  }
  const { account, lun: noLun, identity, online } = missingOf(target, wanted);
  if (account || noLun || identity || online || !showsSize(lun, sizeBytes)) {
    throw new VbsError('INTERNAL', `tgtd took every command for ${exportId}, and shows something else.`, {
      resource: exportId,
      context: { lun },
    });
  }
}

/**
 * Takes back what this call alone has made, so that a code that says "nothing changed" is true; another code, and a
 * call that was cut off, say that it is not known.
 */
async function unmade(call: Call, { tgtadm }: Tools, { exportId, tid }: WantedExport, error: unknown): Promise<unknown> {
  if (!isVbsError(error) || errorTable[error.code].outcome === 'unknown' || call.signal.aborted) return error;
  try {
    await tgtadm.deleteTarget(call, exportId, tid);
    await unlessCode('NOT_FOUND', tgtadm.deleteAccount(call, exportId, exportId));
    return error;
  } catch (cause) {
    const message = `${error.message} What was made of the export before could not be taken back: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new VbsError('INTERNAL', message, { resource: exportId, context: error.context, cause: error });
  }
}
