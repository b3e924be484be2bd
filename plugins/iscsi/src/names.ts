import { type ConnectionInfo, isId, VbsError } from '@vbs/core';

/** An address as node records and sysfs have it: an IPv6 one without brackets. */
export interface Portal {
  readonly address: string;
  readonly port: number;
}

/** What of a connection is needed on this node, each part in its legal form. */
export interface Wanted {
  readonly attachmentId: string;
  readonly iqn: string;
  readonly lun: number;
  readonly portals: readonly Portal[];
}

/** SAM's simple addressing; above it a LUN has several names. */
const lastLun = 255;
const longestIqn = 223;

/** @throws INVALID_ARGUMENT, OUT_OF_RANGE: a field cannot be given to open-iscsi. */
export function wantedOf(attachmentId: string, connection: ConnectionInfo<'iscsi'>): Wanted {
  const { iqn, lun, portals } = connection;
  if (!isId('attachment', attachmentId)) throw illegal('attachmentId', 'att- and 17 hex digits', attachmentId);
  if (!/^(iqn|eui|naa)\.[A-Za-z0-9.:_-]+$/.test(iqn) || iqn.length > longestIqn) {
    throw illegal('connection.iqn', `iqn., eui. or naa. and letters, digits, '.', ':', '_' and '-', at most ${longestIqn} characters`, iqn);
  }
  if (!Number.isInteger(lun) || lun < 0 || lun > lastLun) {
    const message = `connection.lun must be a whole number from 0 to ${lastLun}; got ${String(lun).slice(0, 40)}.`;
    throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'connection.lun' } });
  }
  if (portals.length === 0) throw illegal('connection.portals', 'a list of at least one host:port', '[]');
  return { attachmentId, iqn, lun, portals: portals.map((text, index) => parsePortal(text, `connection.portals.${index}`)) };
}

/** @throws INVALID_ARGUMENT: it is not `host:port`, an IPv6 host in brackets. */
export function parsePortal(text: string, field: string): Portal {
  const [, six, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9][A-Za-z0-9.-]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = six ?? name;
  const port = Number(digits);
  if (address === undefined || !(port >= 1 && port <= 65_535)) throw illegal(field, 'host:port, an IPv6 host in brackets', text);
  return { address, port };
}

/** As iscsiadm and connections write it. */
export function portalText({ address, port }: Portal): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The name that udev gives a disk by where it is (systemd, udev-builtin-path_id.c): an IPv6 address stands there without brackets. */
export function byPathName({ address, port }: Portal, iqn: string, lun: number): string {
  return `/dev/disk/by-path/ip-${address}:${port}-iscsi-${iqn}-lun-${lun}`;
}

/** The names that udev may give the disk of a connection, by its portals. */
export function linksOf({ portals, iqn, lun }: Wanted): readonly string[] {
  return portals.map((portal) => byPathName(portal, iqn, lun));
}

export function keyOf(iqn: string, lun: number): string {
  return `${iqn}/${lun}`;
}

function illegal(field: string, legal: string, got: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${field} must be ${legal}; got ${JSON.stringify(String(got).slice(0, 80))}.`, {
    context: { field },
  });
}
