import { VbsError } from '@vbs/core';
import { revoked } from './access-list.js';
import { decidingLine, type OwnLine } from './allow-file.js';
import { dataLun } from './names.js';
import type { IetLun, IetTarget } from './parse-volumes.js';
import type { SeenTarget } from './proc.js';
import type { WantedExport } from './requests.js';

export function lunOf({ luns }: IetTarget): IetLun | undefined {
  return luns.find(({ lun }) => lun === dataLun);
}

/**
 * Whether a target is told as an export. While one is made its LUN comes last; while one is taken away, or was revoked, it is told until
 * its target is gone. One without our line was made by somebody else, or lost it: it is made whole again.
 */
export function isExport(target: SeenTarget, own: OwnLine | undefined): boolean {
  if (own === undefined) return false;
  return lunOf(target) !== undefined || own.state === 'closing' || own.state === 'revoked';
}

/** @throws ALREADY_EXISTS: it serves another volume or access mode, or has another address. FAILED_PRECONDITION: revoked, or strange LUNs. */
export function refuseOther(target: SeenTarget | undefined, own: OwnLine | undefined, wanted: WantedExport): void {
  const { exportId, tid, lun, open } = wanted;
  const exists = (what: string): VbsError =>
    new VbsError('ALREADY_EXISTS', `The export ${exportId} exists ${what}.`, { resource: exportId });
  if (own?.state === 'revoked') throw revoked(exportId);
  if (own !== undefined && own.mode !== open.mode) throw exists(`with the access ${own.mode}`);
  if (own !== undefined && own.serial !== open.serial) throw exists(`and serves the volume with the serial number ${own.serial}`);
  if (target === undefined) return;
  if (target.tid !== tid) throw exists(`as target ${target.tid}, not ${tid}`);
  const served = lunOf(target);
  if (served !== undefined && served.path !== lun.path) throw exists(`and serves ${served.path}, not ${lun.path}`);
  if (served !== undefined && (served.mode === 'ro') !== (lun.mode === 'ro')) throw exists(`with the mode ${served.mode}`);
  const strangers = target.luns.filter((one) => one.lun !== dataLun).map((one) => one.lun);
  if (strangers.length > 0) {
    const message = `Somebody else has given the target ${target.iqn} the LUN ${strangers.join(', ')}: remove that with ietadm.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { strangers } });
  }
}

/** Whether a target is whole and open, and by our line alone. */
export function isWhole(target: SeenTarget, allow: string, { open }: WantedExport): boolean {
  const deciding = decidingLine(allow, target.iqn);
  if (lunOf(target) === undefined || deciding === undefined || !('own' in deciding)) return false;
  const { state, admitted } = deciding.own;
  return state === 'open' && admitted.length === open.admitted.length && admitted.every((who) => open.admitted.includes(who));
}

/**
 * Whoever else serves the same bytes: one volume has one export here (`multi-attach` is not declared).
 * @throws FAILED_PRECONDITION
 */
export function refuseSharedPath(targets: readonly SeenTarget[], { iqn, lun, exportId }: WantedExport): void {
  const others = targets.filter((target) => target.iqn !== iqn && target.luns.some(({ path }) => path === lun.path));
  if (others.length === 0) return;
  const iqns = others.map((target) => target.iqn);
  const message = `${lun.path} is served by ${iqns.join(', ')} already: two writers would destroy its content. Remove that target.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { targets: iqns } });
}
