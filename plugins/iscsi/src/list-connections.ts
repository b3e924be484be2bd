import type { Call, ConnectionInfo, NodeConnection } from '@vbs/core';
import { byPathName, keyOf, portalText } from './names.js';
import { sideBySide } from './side-by-side.js';
import type { Session, Sysfs } from './sysfs.js';

/** Every disk of every session, from sysfs alone. */
export async function listConnections(call: Call, sysfs: Sysfs): Promise<readonly NodeConnection<'iscsi'>[]> {
  const listed = await sideBySide(await sysfs.sessions(call), (session) => connectionsOf(call, sysfs, session));
  const byKey = new Map<string, NodeConnection<'iscsi'>>();
  for (const found of listed.flat()) if (!byKey.has(found.connection.key)) byKey.set(found.connection.key, found);
  return [...byKey.values()];
}

async function connectionsOf(call: Call, sysfs: Sysfs, session: Session): Promise<NodeConnection<'iscsi'>[]> {
  const { iqn } = session;
  const [portal, luns] = await Promise.all([sysfs.portal(call, session), sysfs.luns(call, session)]);
  if (portal === undefined) return [];
  const found: NodeConnection<'iscsi'>[] = [];
  for (const lun of luns) {
    const sizeBytes = lun.disk === undefined ? undefined : await sysfs.sizeBytes(call, lun);
    if (sizeBytes === undefined) continue;
    const serial = (await sysfs.serial(call, lun)) ?? '';
    const connection: ConnectionInfo<'iscsi'> = {
      protocol: 'iscsi',
      key: keyOf(iqn, lun.lun),
      portals: [portalText(portal)],
      iqn,
      lun: lun.lun,
      serial,
    };
    found.push({ connection, devicePath: byPathName(portal, iqn, lun.lun), sizeBytes });
  }
  return found;
}
