import { type ExportRequest, VbsError } from '@vbs/core';
import { requireExportId } from '@vbs/core/exporter-support';
import type { TgtSettings } from './settings.js';
import { isInitiatorName } from './tgtadm.js';

/** A request to export, as it is put to tgtd. */
export interface WantedExport {
  readonly request: ExportRequest<'block' | 'file'>;
  readonly exportId: string;
  readonly tid: number;
  readonly iqn: string;
  readonly path: string;
  readonly serial: string;
  readonly readOnly: boolean;
  /** Who is let in: initiator names alone, or ALL where there is no access list. Names and addresses together would be OR (trap 3). */
  readonly admitted: readonly string[];
}

const longestInitiator = 223;
const sectorBytes = 512;

/** @throws INVALID_ARGUMENT: what tgtd could not take, or what would open the export to more than the request says. */
export function wantedExport(
  request: ExportRequest<'block' | 'file'>,
  { acl, chap, tids }: Pick<TgtSettings, 'acl' | 'chap' | 'tids'>,
  iqn: string,
): WantedExport {
  const { exportId, volume, serial, address, initiators } = request;
  requireExportId(exportId);
  const illegal = (field: string, message: string): VbsError =>
    new VbsError('INVALID_ARGUMENT', `${field} ${message}`, { resource: exportId, context: { field } });
  if (address === undefined || address < tids.first || address > tids.last) {
    throw illegal('address', `must be a target id of ${tids.first} to ${tids.last}, as this exporter declares; it is ${address}.`);
  }
  if (!/^[A-Za-z0-9-]{1,20}$/.test(serial)) throw illegal('serial', 'must have 1 to 20 letters, digits and hyphens.');
  if (volume.sizeBytes % sectorBytes !== 0)
    throw illegal('volume.sizeBytes', `must be a multiple of ${sectorBytes}: a disk has whole sectors.`);
  if (chap && request.chap === undefined) {
    throw illegal(
      'chap',
      'is missing, and this exporter asks for a CHAP secret: nobody is let in without one. Give it, or configure "chap: false".',
    );
  }
  if (acl && (initiators === undefined || initiators.length === 0)) {
    throw illegal('initiators', 'must name who may connect: this exporter has an access list. Give the initiator names of the node.');
  }
  const strange = initiators?.find((name) => !isInitiatorName(name) || name.length > longestInitiator || /[\s,]/.test(name));
  if (acl && strange !== undefined) {
    throw illegal(
      'initiators',
      `must be iSCSI names (iqn., eui. or naa.) of at most ${longestInitiator} characters; ${JSON.stringify(strange.slice(0, 80))} is none.`,
    );
  }
  return {
    request,
    exportId,
    tid: address,
    iqn,
    path: volume.locator.path,
    serial,
    readOnly: request.access === 'read-only',
    admitted: acl ? [...new Set(initiators)] : ['ALL'],
  };
}
