import { type ConnectionInfo, type DeviceSource, VbsError } from '@vbs/core';
import { formatNbdUri, type NbdPlace, parseNbdUri } from './nbd-uri.js';

/** A disk's source as libvirt's XML has it. `key` is the same for the same source, whoever wrote it. */
export type Source =
  | { readonly type: 'block'; readonly key: string; readonly path: string }
  | { readonly type: 'nbd'; readonly key: string; readonly place: NbdPlace }
  | {
      readonly type: 'iscsi';
      readonly key: string;
      readonly host: string;
      readonly port: number;
      readonly iqn: string;
      readonly lun: number;
      readonly serial: string;
    };

export function blockSource(path: string): Source {
  return { type: 'block', key: `block ${path}`, path };
}

export function nbdSource(place: NbdPlace): Source {
  return { type: 'nbd', key: `nbd ${formatNbdUri(place)}`, place };
}

export function iscsiSource(fields: Omit<Extract<Source, { type: 'iscsi' }>, 'type' | 'key'>): Source {
  return { type: 'iscsi', key: `iscsi ${fields.iqn}/${fields.lun}`, ...fields };
}

/** @throws INVALID_ARGUMENT: a field that cannot be; `context.field` is its path. UNSUPPORTED: the protocol is not one that QEMU is given. */
export function sourceOf(source: DeviceSource): Source {
  if (source.kind === 'block') {
    if (/^\/[^\p{Cc}]+$/u.test(source.path)) return blockSource(source.path);
    throw illegal('source.path', `${JSON.stringify(source.path.slice(0, 100))} is no absolute path`);
  }
  return connectionSource(source.connection);
}

function connectionSource(connection: ConnectionInfo): Source {
  if (connection.protocol === 'nbd') {
    const place = parseNbdUri(connection.uri);
    if (place !== undefined) return nbdSource(place);
    const advice = 'it must be nbd://host:port/export, nbds://host:port/export or nbd+unix:///export?socket=/path';
    throw illegal('source.connection.uri', `${JSON.stringify(connection.uri.slice(0, 200))} is no NBD URI: ${advice}`);
  }
  if (connection.protocol === 'iscsi') {
    const { iqn, lun, serial, portals } = connection;
    // libvirt takes one portal for a disk.
    const { bracketed, plain, digits } =
      /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+)):(?<digits>\d{1,5})$/.exec(portals[0] ?? '')?.groups ?? {};
    const host = bracketed ?? plain;
    if (host === undefined) throw illegal('source.connection.portals', 'the first must be host:port, an IPv6 address in brackets');
    if (!/^(iqn|eui|naa)\.[\x21-\x2e\x30-\x7e]+$/.test(iqn))
      throw illegal('source.connection.iqn', `${JSON.stringify(iqn.slice(0, 250))} is no name of a target`);
    return iscsiSource({ host, port: Number(digits), iqn, lun, serial });
  }
  throw new VbsError('UNSUPPORTED', `QEMU is given block devices, nbd and iscsi, not ${connection.protocol}.`, {
    context: { field: 'source.connection.protocol' },
  });
}

/** As the contract tells it. */
export function deviceSourceOf(source: Source): DeviceSource {
  if (source.type === 'block') return { kind: 'block', path: source.path };
  if (source.type === 'nbd') {
    const uri = formatNbdUri(source.place);
    return { kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } };
  }
  const { host, port, iqn, lun, serial } = source;
  const portal = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { kind: 'connection', connection: { protocol: 'iscsi', key: `${iqn}/${lun}`, portals: [portal], iqn, lun, serial } };
}

function illegal(field: string, message: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${message}.`, { context: { field } });
}
