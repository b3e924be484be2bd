import { type ExportRequest, VbsError } from '@vbs/core';
import { requireExportId } from '@vbs/core/exporter-support';
import { addressOf } from './address.js';
import { type Blade, macDigits, sectorBytes } from './blade.js';
import type { ExporterSettings } from './settings.js';

/** A request to export, as it is put to vblade. */
export interface WantedExport {
  readonly request: ExportRequest<'block' | 'file'>;
  readonly exportId: string;
  readonly serial: string;
  readonly blade: Blade & { readonly sectors: number };
}

/** What vblade has room for; it does not say when they are more. */
const mostMasks = 32;
const ethernetAddress = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;

/** @throws INVALID_ARGUMENT: what vblade could not take, or would take in silence for something else. */
export function wantedExport(
  request: ExportRequest<'block' | 'file'>,
  settings: Pick<ExporterSettings, 'acl' | 'interface' | 'numbers' | 'shelves'>,
): WantedExport {
  const { exportId, volume, serial, address, access, initiators } = request;
  const { numbers, shelves } = settings;
  requireExportId(exportId);
  const illegal = (field: string, message: string): VbsError =>
    new VbsError('INVALID_ARGUMENT', `${field} ${message}`, { resource: exportId, context: { field } });
  if (address === undefined || !Number.isInteger(address) || address < numbers.first || address > numbers.last) {
    const range = `${numbers.first} to ${numbers.last} (e${shelves.first}.0 to e${shelves.last}.254)`;
    throw illegal('address', `must be of ${range}, as this exporter declares; it is ${address}.`);
  }
  if (!/^[a-z0-9]{1,20}$/.test(serial)) throw illegal('serial', 'must have 1 to 20 lower-case letters and digits.');
  const { sizeBytes, locator } = volume;
  if (sizeBytes < sectorBytes || sizeBytes % sectorBytes !== 0) {
    throw illegal('volume.sizeBytes', `must be a multiple of ${sectorBytes}, since AoE has whole sectors; it is ${sizeBytes}.`);
  }
  if (!locator.path.startsWith('/')) {
    throw illegal('volume.locator.path', `must be absolute; it is ${JSON.stringify(locator.path.slice(0, 200))}.`);
  }
  return {
    request,
    exportId,
    serial,
    blade: {
      ...addressOf(address),
      interface: settings.interface,
      path: locator.path,
      readOnly: access === 'read-only',
      sectors: sizeBytes / sectorBytes,
      masks: settings.acl ? masksOf(initiators ?? [], illegal) : [],
    },
  };
}

/** vblade exports WITHOUT any mask when it cannot read one, so that nothing doubtful may reach it. */
function masksOf(initiators: readonly string[], illegal: (field: string, message: string) => VbsError): readonly string[] {
  const strange = initiators.find((name) => !ethernetAddress.test(name) || isGroup(name));
  if (strange !== undefined) {
    const message = `must be Ethernet addresses of one interface each, such as 52:54:00:12:34:56; ${JSON.stringify(strange.slice(0, 80))} is none.`;
    throw illegal('initiators', message);
  }
  const masks = [...new Set(initiators.map(macDigits))].sort();
  if (masks.length === 0) {
    throw illegal('initiators', 'must name who may connect: this exporter has an access list. Give the Ethernet addresses of the node.');
  }
  if (masks.length > mostMasks)
    throw illegal('initiators', `must be at most ${mostMasks}, as vblade has room for; they are ${masks.length}.`);
  return masks;
}

/** Nobody sends from a group's address, or from none. */
function isGroup(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || /^[0:]+$/.test(mac);
}
