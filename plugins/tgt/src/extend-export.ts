import { type BackendVolume, type Call, VbsError } from '@vbs/core';
import { inspectVolume } from '@vbs/core/exporter-support';
import { isRevoked, lunOf, revoked, showsSize } from './compare.js';
import { drain } from './drain.js';
import type { TgtLun, TgtTarget } from './parse-targets.js';
import type { Tools } from './tools.js';

/** A guest waits so long for its commands at most, in milliseconds. */
const drainLimitMs = 5_000;
const repairLimitMs = 3_000;

/**
 * Lets tgtd open the volume anew, with the size that it has now, which it does for a LUN that is offline. tgtd should have nothing in flight
 * then: a write that meets the closed file fails. An offline LUN stops only who logs in; a write of a session that comes between the drain
 * and the opening can meet it.
 * @throws NOT_FOUND. FAILED_PRECONDITION: it serves another volume, has not grown, or was revoked. DEADLINE_EXCEEDED: commands in flight do not end.
 */
export async function extendExport(call: Call, tools: Tools, exportId: string, volume: BackendVolume<'block' | 'file'>): Promise<number> {
  const { tgtadm } = tools;
  const [target, sizeBytes] = await Promise.all([find(call, tools, exportId), inspectVolume(call, tools, volume.locator, 'tgtd')]);
  const lun = target === undefined ? undefined : lunOf(target);
  if (target === undefined || lun === undefined) throw new VbsError('NOT_FOUND', `There is no export ${exportId}.`, { resource: exportId });
  const refuse = (message: string): VbsError =>
    new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { sizeBytes } });
  if (isRevoked(target)) throw revoked(exportId);
  const { tid } = target;
  const { path } = volume.locator;
  if (lun.path !== path) throw refuse(`The export ${exportId} serves ${lun.path}, not ${path}.`);
  if (sizeBytes < volume.sizeBytes) throw refuse(`${path} has ${sizeBytes} bytes, not yet ${volume.sizeBytes}: extend the volume first.`);
  await tgtadm.setLunOnline(call, exportId, tid, false);
  try {
    await drain(call, tgtadm, { exportId, tid }, drainLimitMs);
    await tgtadm.setLunPath(call, exportId, tid, path);
    await tgtadm.setLunOnline(call, exportId, tid, true);
  } catch (error) {
    await putOnline(call, tools, exportId, tid);
    throw error;
  }
  await verify(call, tools, exportId, sizeBytes);
  return sizeBytes;
}

/** No guest is left waiting for a disk, also when the call was given up. */
async function putOnline(call: Call, { tgtadm }: Tools, exportId: string, tid: number): Promise<void> {
  const repair = { ...call, signal: AbortSignal.timeout(repairLimitMs) };
  await tgtadm.setLunOnline(repair, exportId, tid, true).catch((error: unknown) => {
    call.log.error({ err: error, exportId }, 'the LUN is offline: its initiators wait until extendExport or ensureExports is repeated');
  });
}

async function verify(call: Call, tools: Tools, exportId: string, sizeBytes: number): Promise<void> {
  const target = await find(call, tools, exportId);
  const lun: TgtLun | undefined = target === undefined ? undefined : lunOf(target);
  if (lun?.online === true && showsSize(lun, sizeBytes)) return;
  throw new VbsError('INTERNAL', `tgtd took every command for ${exportId}, and shows something else.`, {
    resource: exportId,
    context: { lun },
  });
}

async function find(call: Call, { daemon, names }: Tools, exportId: string): Promise<TgtTarget | undefined> {
  const { targets } = await daemon.look(call);
  return targets.find(({ iqn }) => iqn === names.iqn(exportId));
}
