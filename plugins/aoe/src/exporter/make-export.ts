import { type Call, VbsError } from '@vbs/core';
import { keyOf } from './address.js';
import type { RunningBlade } from './blades.js';
import { restartBlade } from './restart-blade.js';
import type { Tools } from './tools.js';
import type { WantedExport } from './wanted-export.js';

/**
 * Makes an export, or leaves the one that is there. One that answers other Ethernet addresses, or less of its volume, is started anew:
 * initiators ask again until it answers.
 * @throws as createExport.
 */
export async function makeExport(call: Call, tools: Tools, wanted: WantedExport, seen?: readonly RunningBlade[]): Promise<void> {
  const { blades, marks, starts } = tools;
  const { exportId, blade } = wanted;
  if ((await marks.get(call, exportId)) !== undefined) throw revoked(exportId);
  const before = seen?.find((one) => one.exportId === exportId);
  if (before !== undefined && isSame(before, wanted)) return;
  const [known] = await blades.of(call, exportId);
  if (known !== undefined && isSame(known, wanted)) return;
  if (known !== undefined) {
    // Nothing is exported smaller than it was.
    const sectors = Math.max(known.blade.sectors ?? 0, blade.sectors);
    return restartBlade(call, tools, known, { ...wanted, blade: { ...blade, sectors } });
  }
  await starts.run(blade.path, async () => {
    await refuseOthers(call, tools, wanted);
    await blades.start(call, wanted);
  });
  call.log.debug({ exportId, address: keyOf(blade), path: blade.path }, 'an export was made');
}

export function revoked(exportId: string): VbsError {
  return new VbsError('FAILED_PRECONDITION', `Access to the export ${exportId} was revoked; it is never opened again. Delete it.`, {
    resource: exportId,
  });
}

/**
 * Whether nothing is to be done to what runs.
 * @throws ALREADY_EXISTS: an export of this id serves another volume or access mode, or has another address.
 */
function isSame({ blade, serial }: RunningBlade, wanted: WantedExport): boolean {
  const { exportId } = wanted;
  const exists = (what: string): VbsError =>
    new VbsError('ALREADY_EXISTS', `The export ${exportId} exists ${what}.`, { resource: exportId, context: { address: keyOf(blade) } });
  if (keyOf(blade) !== keyOf(wanted.blade) || blade.interface !== wanted.blade.interface) {
    throw exists(`as ${keyOf(blade)} on ${blade.interface}, not ${keyOf(wanted.blade)} on ${wanted.blade.interface}`);
  }
  if (blade.path !== wanted.blade.path) throw exists(`and serves ${blade.path}, not ${wanted.blade.path}`);
  if (serial !== wanted.serial) throw exists(`and serves the volume with the serial number ${serial}, not ${wanted.serial}`);
  if (blade.readOnly !== wanted.blade.readOnly) throw exists(`with the access ${blade.readOnly ? 'read-only' : 'read-write'}`);
  // More than the volume is known to have by now is whole too.
  return blade.masks.join() === wanted.blade.masks.join() && (blade.sectors === undefined || blade.sectors >= wanted.blade.sectors);
}

/**
 * vblade notices neither a second server of its volume nor a second holder of its address.
 * @throws FAILED_PRECONDITION: a vblade of this machine, of whomever, has one of them.
 */
async function refuseOthers(call: Call, { blades }: Tools, { exportId, blade }: WantedExport): Promise<void> {
  const others = await blades.everybodys(call);
  const refuse = (message: string, pid: number): VbsError =>
    new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { pid } });
  const [server] = others.filter(({ path }) => path === blade.path);
  if (server !== undefined) {
    const message = `${blade.path} is exported as ${keyOf(server)} already (process ${server.pid}): a volume has one AoE export at a time.`;
    throw refuse(message, server.pid);
  }
  const [holder] = others.filter((other) => keyOf(other) === keyOf(blade) && other.interface === blade.interface);
  if (holder !== undefined) {
    const message = `${keyOf(blade)}, which is of this exporter's range, is taken on ${blade.interface} by process ${holder.pid} for ${holder.path}. End it, or configure other "shelves".`;
    throw refuse(message, holder.pid);
  }
}
