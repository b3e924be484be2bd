import { type Call, type ConnectionInfo, isId, VbsError } from '@vbs/core';
import type { Row } from '../rules/expressions.js';
import type { Values } from '../rules/tools.js';

export type IscsiConnection = ConnectionInfo<'iscsi'>;

/** Values that a listed line must tell (groups), beside `disk`; together they tell a connection from every other. */
export const connectionGroups = ['address', 'port', 'iqn', 'lun'];
/** What patterns may name of a connection. */
export const connectionValues = [...connectionGroups, 'portal'];

const longestIqn = 223;
/** SAM's simple addressing; above it a LUN has several names. */
const lastLun = 255;
const legalPortal = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9][A-Za-z0-9.-]*)):([0-9]{1,5})$/;

/** One request, each part in the form that a tool may be given. */
export interface WantedConnection {
  readonly attachmentId: string;
  readonly connection: IscsiConnection;
  /** The values by each portal. */
  readonly ways: readonly [Values, ...Values[]];
}

/** @throws INVALID_ARGUMENT, OUT_OF_RANGE: `context.field` names what no tool may be given. */
export function wantedConnection(attachmentId: string, connection: IscsiConnection): WantedConnection {
  if (!isId('attachment', attachmentId)) throw illegal('attachmentId', 'att- and 17 hex digits', attachmentId);
  return { attachmentId, connection, ways: valuesOf(connection) };
}

/** One set of values for each portal. @throws INVALID_ARGUMENT, OUT_OF_RANGE */
export function valuesOf({ iqn, lun, portals }: IscsiConnection): readonly [Values, ...Values[]] {
  if (!isIqn(iqn)) {
    throw illegal('connection.iqn', `iqn., eui. or naa. and letters, digits, '.', ':', '_' and '-', at most ${longestIqn} characters`, iqn);
  }
  if (!Number.isInteger(lun) || lun < 0 || lun > lastLun) {
    const message = `connection.lun must be a whole number from 0 to ${lastLun}; got ${String(lun).slice(0, 40)}.`;
    throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'connection.lun' } });
  }
  const [first, ...others] = portals.map((portal, index): Values => {
    const [, six, name, port] = legalPortal.exec(portal) ?? [];
    const address = six ?? name;
    if (address === undefined || port === undefined) {
      throw illegal(`connection.portals.${index}`, 'host:port, an IPv6 host in brackets', portal);
    }
    return { portal, address, port, iqn, lun };
  });
  if (first === undefined) throw illegal('connection.portals', 'a list of at least one host:port', '[]');
  return [first, ...others];
}

/** The connection of a listed line, without its serial; undefined for one that VBS cannot have made. */
export function connectionOf({ address = '', port = '', iqn = '', lun = '' }: Row): IscsiConnection | undefined {
  const portal = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  if (!legalPortal.test(portal) || !isIqn(iqn) || !/^\d{1,3}$/.test(lun) || Number(lun) > lastLun) return undefined;
  return { protocol: 'iscsi', key: `${iqn}/${Number(lun)}`, portals: [portal], iqn, lun: Number(lun), serial: '' };
}

function isIqn(text: string): boolean {
  return /^(iqn|eui|naa)\.[A-Za-z0-9.:_-]+$/.test(text) && text.length <= longestIqn;
}

/** @throws DEADLINE_EXCEEDED: the call was given up. */
export function throwIfAborted(call: Call, message: string, resource: string): void {
  if (call.signal.aborted) throw new VbsError('DEADLINE_EXCEEDED', message, { resource });
}

function illegal(field: string, legal: string, got: string): VbsError {
  return new VbsError('INVALID_ARGUMENT', `${field} must be ${legal}; got ${JSON.stringify(String(got).slice(0, 80))}.`, {
    context: { field },
  });
}
