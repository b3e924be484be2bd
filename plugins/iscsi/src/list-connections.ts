import type { Call, ConnectionInfo, NodeConnection } from '@vbs/core';
import { byPathName, keyOf, portalText } from './names.js';
import type { Seen, Session, Sysfs } from './sysfs.js';

/** Every disk of every session, from sysfs alone. */
export async function listConnections(call: Call, sysfs: Sysfs): Promise<readonly NodeConnection<'iscsi'>[]> {
  const seen = await sysfs.all(call);
  const byKey = new Map<string, NodeConnection<'iscsi'>>();
  for (const found of seen.sessions().flatMap((session) => connectionsOf(seen, session))) {
    if (!byKey.has(found.connection.key)) byKey.set(found.connection.key, found);
  }
  return [...byKey.values()];
}

function connectionsOf(seen: Seen, session: Session): NodeConnection<'iscsi'>[] {
  const { iqn } = session;
  const portal = seen.portal(session);
  if (portal === undefined) return [];
  return seen.luns(session).flatMap((lun): NodeConnection<'iscsi'>[] => {
    const sizeBytes = lun.disk === undefined ? undefined : seen.sizeBytes(lun);
    if (sizeBytes === undefined) return [];
    const connection: ConnectionInfo<'iscsi'> = {
      protocol: 'iscsi',
      key: keyOf(iqn, lun.lun),
      portals: [portalText(portal)],
      iqn,
      lun: lun.lun,
      serial: seen.serial(lun) ?? '',
    };
    return [{ connection, devicePath: byPathName(portal, iqn, lun.lun), sizeBytes }];
  });
}
