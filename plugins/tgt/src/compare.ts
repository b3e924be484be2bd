import { VbsError } from '@vbs/core';
import type { IscsiNames } from '@vbs/core/exporter-support';
import { dataLun } from './names.js';
import type { TgtLun, TgtTarget } from './parse-targets.js';
import type { WantedExport } from './requests.js';

export const revokedState = 'offline';

/** tgtd's own serial numbers of LUNs that nobody named: they mark an export whose making was broken off. */
const unnamed = /^beaf/;
const megabyte = 1_000_000;

export function lunOf(target: TgtTarget): TgtLun | undefined {
  return target.luns.find(({ lun }) => lun === dataLun);
}

export function isRevoked(target: TgtTarget): boolean {
  return target.state === revokedState;
}

/** An export that was made to its end: access is opened last. A revoked one was. */
export function isWhole(target: TgtTarget): boolean {
  const lun = lunOf(target);
  return lun !== undefined && !unnamed.test(lun.serial) && (target.acl.length > 0 || isRevoked(target));
}

/** What an export lacks of what was asked for. */
export interface Missing {
  readonly account: boolean;
  readonly lun: boolean;
  readonly identity: boolean;
  readonly online: boolean;
  readonly admitted: readonly string[];
  readonly tooMany: readonly string[];
}

/**
 * Compares a target part by part with what is wanted.
 * @throws ALREADY_EXISTS: it serves another volume or access mode, or has another address. FAILED_PRECONDITION: it was revoked, or
 * somebody else has bound an account or LUN to it.
 */
export function missingOf(target: TgtTarget, { exportId, tid, path, serial, readOnly, admitted, request }: WantedExport): Missing {
  const lun = lunOf(target);
  const named = lun !== undefined && !unnamed.test(lun.serial);
  const exists = (what: string): VbsError =>
    new VbsError('ALREADY_EXISTS', `The export ${exportId} exists ${what}.`, { resource: exportId, context: { iqn: target.iqn } });
  if (isRevoked(target)) throw revoked(exportId);
  if (target.tid !== tid) throw exists(`as target ${target.tid}, not ${tid}`);
  if (lun !== undefined && lun.path !== path) throw exists(`and serves ${lun.path}, not ${path}`);
  if (named && lun.serial !== serial) throw exists(`and serves the volume with the serial number ${lun.serial}, not ${serial}`);
  if (named && lun.readOnly !== readOnly) throw exists(`with the access ${lun.readOnly ? 'read-only' : 'read-write'}`);
  const strangers = [
    ...target.accounts.filter((user) => user !== exportId).map((user) => `the account ${user}`),
    ...target.luns.filter((one) => one.lun !== 0 && one.lun !== dataLun).map((one) => `LUN ${one.lun}`),
  ];
  if (strangers.length > 0) {
    const message = `Somebody else has given the target ${target.iqn} ${strangers.join(' and ')}: remove that with tgtadm.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { strangers } });
  }
  return {
    account: request.chap !== undefined && !target.accounts.includes(exportId),
    lun: lun === undefined,
    identity: !named || lun.scsiId !== serial,
    online: lun !== undefined && !lun.online,
    admitted: admitted.filter((who) => !target.acl.includes(who)),
    tooMany: target.acl.filter((who) => !admitted.includes(who)),
  };
}

export function revoked(exportId: string): VbsError {
  return new VbsError('FAILED_PRECONDITION', `Access to the export ${exportId} was revoked; it is never opened again. Delete it.`, {
    resource: exportId,
  });
}

/** Whether a size that tgtd tells, rounded to millions of bytes, is this one. */
export function showsSize({ megabytes }: TgtLun, sizeBytes: number): boolean {
  return Math.abs(megabytes - sizeBytes / megabyte) <= 0.5;
}

/**
 * Whoever else serves the same bytes: tgtd takes one path for any number of LUNs (trap 7). Other exports of the same volume are not meant.
 * @throws FAILED_PRECONDITION
 */
export function refuseSharedPath(targets: readonly TgtTarget[], { iqn, path, serial, exportId }: WantedExport, names: IscsiNames): void {
  const others = targets.filter(
    (target) =>
      target.iqn !== iqn &&
      target.luns.some(
        (lun) => lun.path === path && (names.exportId(target.iqn) === undefined || (!unnamed.test(lun.serial) && lun.serial !== serial)),
      ),
  );
  if (others.length === 0) return;
  const iqns = others.map((target) => target.iqn);
  const message = `${path} is served by ${iqns.join(', ')} too, which is no export of this volume: two writers would destroy its content. Remove that target.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { targets: iqns } });
}
