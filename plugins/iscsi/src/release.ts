import { type Call, isVbsError, VbsError } from '@vbs/core';
import { requireFree } from './holders.js';
import { type Portal, portalText, type Wanted } from './names.js';
import type { NodeRecords } from './node-records.js';
import { poll } from './poll.js';
import { linksGone } from './stable-link.js';
import type { Lun, Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

interface Parts {
  readonly tools: Tools;
  readonly sysfs: Sysfs;
  readonly records: NodeRecords;
}

const flushTries = 3;
const goneLimitMs = 30_000;
/** iscsid waits for the target's answer to a logout for 15 s, and then ends the session without it. */
const logoutLimitMs = 30_000;
/** No such session: of iscsiadm's database, of its list, of sysfs. */
const noSession = [2, 21, 22];

/**
 * Takes the disk of a LUN away, and the session and its records with the last one. What is gone already is passed over.
 * @throws FAILED_PRECONDITION: something holds the disk. DEADLINE_EXCEEDED: the target does not answer; a repeat goes on.
 */
export async function release(call: Call, parts: Parts, wanted: Wanted): Promise<void> {
  const { sysfs, records, tools } = parts;
  const portals: Portal[] = [...wanted.portals];
  let left = 0;
  for (const session of await sysfs.sessionsOf(call, wanted.iqn)) {
    const [portal, luns] = await Promise.all([sysfs.portal(call, session), sysfs.luns(call, session)]);
    if (portal !== undefined && !portals.some((known) => portalText(known) === portalText(portal))) portals.push(portal);
    const lun = luns.find((found) => found.lun === wanted.lun);
    if (lun !== undefined) await removeLun(call, parts, lun, wanted);
    const others = luns.filter((other) => other.lun !== wanted.lun && other.disk !== undefined);
    if (others.length === 0) await logout(call, parts, session, wanted);
    else left += 1;
  }
  if (left === 0) await records.remove(call, wanted);
  await linksGone(call, tools.machine, portals, wanted);
}

async function removeLun(call: Call, { tools, sysfs }: Parts, lun: Lun, { attachmentId }: Wanted): Promise<void> {
  if (lun.disk !== undefined) {
    const disk = { ...lun, disk: lun.disk };
    await requireFree(call, tools, sysfs, disk, attachmentId);
    await flush(call, tools, disk.disk, attachmentId);
  }
  await unlessAbsent(call, sysfs, lun, () =>
    tools.run(call, 'deleteDevice', { path: `${lun.path}/delete` }, { guard: attachmentId, input: '1' }),
  );
  const gone = await poll(call, goneLimitMs, async () => ((await sysfs.isThere(call, lun)) ? undefined : true));
  if (gone !== undefined) return;
  throw new VbsError('DEADLINE_EXCEEDED', `The SCSI device ${lun.address} has not gone within ${goneLimitMs / 1000} s.`, {
    resource: attachmentId,
    context: { device: lun.address, limitMs: goneLimitMs },
  });
}

/** What the node still has in its cache; the disk's own cache is flushed by the kernel when the disk goes. */
async function flush(call: Call, tools: Tools, disk: string, attachmentId: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await tools.run(call, 'flushDevice', { device: `/dev/${disk}` }, { guard: attachmentId });
      return;
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'INTERNAL' || tries === flushTries) throw error;
    }
  }
}

async function unlessAbsent(call: Call, sysfs: Sysfs, lun: Lun, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isVbsError(error) || error.code !== 'INTERNAL' || (await sysfs.isThere(call, lun))) throw error;
  }
}

async function logout(call: Call, { tools, sysfs }: Parts, session: Session, { attachmentId, iqn }: Wanted): Promise<void> {
  const options = { guard: attachmentId, timeLimitMs: logoutLimitMs, okExitCodes: [0, ...noSession] };
  await tools.run(call, 'logout', { sid: session.sid }, options);
  const gone = await poll(call, goneLimitMs, async () => ((await sysfs.state(call, session)) === undefined ? true : undefined));
  if (gone !== undefined) return;
  throw new VbsError('DEADLINE_EXCEEDED', `The session of ${iqn} has not ended within ${goneLimitMs / 1000} s.`, {
    resource: attachmentId,
    context: { sid: session.sid, limitMs: goneLimitMs },
  });
}
