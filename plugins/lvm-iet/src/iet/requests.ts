import { type ExportRequest, VbsError } from '@vbs/core';
import { requireExportId } from '@vbs/core/exporter-support';
import { initiatorEntry, longestLine, type OwnLine, writtenLine } from './allow-file.js';
import type { NewLun } from './ietadm.js';
import { shownSerial } from './names.js';
import type { IetSettings } from './settings.js';

export type Kind = 'block' | 'file';

/** A request to export, as it is put to IET. */
export interface WantedExport {
  readonly request: ExportRequest<Kind>;
  readonly exportId: string;
  readonly tid: number;
  readonly iqn: string;
  readonly lun: NewLun;
  /** The line that opens it. */
  readonly open: OwnLine;
}

const longestInitiator = 223;
const longestPath = 1_024;
const sectorBytes = 512;
const initiatorName = /^(iqn|eui|naa)\.[A-Za-z0-9._:-]+$/i;

/** @throws INVALID_ARGUMENT: what IET could not take, or what would open the export to more than the request says. */
export function wantedExport(
  request: ExportRequest<Kind>,
  { acl, chap, tids, writeMode }: Pick<IetSettings, 'acl' | 'chap' | 'tids' | 'writeMode'>,
  iqn: string,
): WantedExport {
  const { exportId, volume, address, access } = request;
  requireExportId(exportId);
  const illegal = (field: string, message: string): VbsError =>
    new VbsError('INVALID_ARGUMENT', `${field} ${message}`, { resource: exportId, context: { field } });
  if (address === undefined || address < tids.first || address > tids.last) {
    throw illegal('address', `must be a target id of ${tids.first} to ${tids.last}, as this exporter declares; it is ${address}.`);
  }
  if (!/^[A-Za-z0-9-]{1,20}$/.test(request.serial)) throw illegal('serial', 'must have 1 to 20 letters, digits and hyphens.');
  if (volume.sizeBytes % sectorBytes !== 0) {
    throw illegal('volume.sizeBytes', `must be a multiple of ${sectorBytes}: a disk has whole sectors.`);
  }
  const { path, kind } = volume.locator;
  if (path.length > longestPath) throw illegal('volume.locator.path', `must have at most ${longestPath} characters for ietadm.`);
  if (chap && request.chap === undefined) {
    throw illegal(
      'chap',
      'is missing, and this exporter asks for a CHAP secret: nobody is let in without one. Give it, or configure "chap: false".',
    );
  }
  const admitted = acl ? initiatorEntries(request.initiators, illegal) : ['ALL'];
  const isReadOnly = access === 'read-only';
  const serial = shownSerial(request.serial);
  const open: OwnLine = { iqn, state: 'open', mode: isReadOnly ? 'ro' : 'rw', serial, admitted };
  if (writtenLine(open).length > longestLine) {
    throw illegal('initiators', `must fit into a line of ${longestLine} characters of initiators.allow: name fewer.`);
  }
  const mode = isReadOnly ? 'ro' : writeMode;
  return { request, exportId, tid: address, iqn, open, lun: { path, type: kind === 'block' ? 'blockio' : 'fileio', serial, mode } };
}

function initiatorEntries(
  initiators: readonly string[] | undefined,
  illegal: (field: string, message: string) => VbsError,
): readonly string[] {
  if (initiators === undefined || initiators.length === 0) {
    throw illegal('initiators', 'must name who may connect: this exporter has an access list. Give the initiator names of the node.');
  }
  const strange = initiators.find((name) => !initiatorName.test(name) || name.length > longestInitiator);
  if (strange !== undefined) {
    throw illegal(
      'initiators',
      `must be iSCSI names (iqn., eui. or naa., then letters, digits, '.', ':', '-' and '_') of at most ${longestInitiator} characters; ${JSON.stringify(strange.slice(0, 80))} is none.`,
    );
  }
  return [...new Set(initiators)].map(initiatorEntry);
}
