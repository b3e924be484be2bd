import { type Call, isVbsError, VbsError } from '@vbs/core';
import { holderPaths, requireFree } from './holders.js';
import { linksOf, portalText, type Wanted } from './names.js';
import type { NodeRecords } from './node-records.js';
import { poll } from './poll.js';
import { linksGone } from './stable-link.js';
import type { Lun, Seen, Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

interface Parts {
  readonly tools: Tools;
  readonly sysfs: Sysfs;
  readonly records: NodeRecords;
}

/** What of the node a release goes by, all at one look. */
type Look = () => Promise<Seen>;

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
  let own = wanted;
  const left = (): readonly string[] => [...records.patterns(wanted.iqn), ...linksOf(own)];
  const look = (): Promise<Seen> => sysfs.ofTarget(call, wanted.iqn, { holders: true, more: [...holderPaths, ...left()] });
  let seen = await look();
  let others = 0;
  for (const [index, session] of seen.sessionsOf(wanted.iqn).entries()) {
    const portal = seen.portal(session);
    const isOwn = portal === undefined || own.portals.some((known) => portalText(known) === portalText(portal));
    if (!isOwn) own = { ...own, portals: [...own.portals, portal] };
    // Who holds a disk, and whether its links are there, is told by a look of just before.
    if (!isOwn || index > 0) seen = await look();
    const again: Look = () => sysfs.of(call, session, left());
    const lun = seen.lun(session, wanted.lun);
    if (lun !== undefined) seen = await removeLun(call, tools, lun, wanted, seen, again);
    if (seen.luns(session).some((other) => other.lun !== wanted.lun && other.disk !== undefined)) others += 1;
    else seen = await logout(call, tools, session, wanted, again);
  }
  if (others === 0) await records.remove(call, own, seen.look);
  await linksGone(call, tools.machine, own, seen);
}

/** Answers what is there when it has gone. */
async function removeLun(call: Call, tools: Tools, lun: Lun, { attachmentId }: Wanted, seen: Seen, look: Look): Promise<Seen> {
  if (lun.disk !== undefined) {
    await requireFree(call, tools, seen, { ...lun, disk: lun.disk }, attachmentId);
    await flush(call, tools, lun.disk, attachmentId);
  }
  try {
    await tools.run(call, 'deleteDevice', { path: `${lun.path}/delete` }, { guard: attachmentId, input: '1' });
  } catch (error) {
    if (!isVbsError(error) || error.code !== 'INTERNAL' || (await look()).look.has(lun.path)) throw error;
  }
  const gone = await poll(call, goneLimitMs, async () => {
    const now = await look();
    return now.look.has(lun.path) ? undefined : now;
  });
  if (gone !== undefined) return gone;
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

/** Answers what is there when it has ended. */
async function logout(call: Call, tools: Tools, session: Session, { attachmentId, iqn }: Wanted, look: Look): Promise<Seen> {
  const options = { guard: attachmentId, timeLimitMs: logoutLimitMs, okExitCodes: [0, ...noSession] };
  await tools.run(call, 'logout', { sid: session.sid }, options);
  const gone = await poll(call, goneLimitMs, async () => {
    const now = await look();
    return now.isThere(session) ? undefined : now;
  });
  if (gone !== undefined) return gone;
  throw new VbsError('DEADLINE_EXCEEDED', `The session of ${iqn} has not ended within ${goneLimitMs / 1000} s.`, {
    resource: attachmentId,
    context: { sid: session.sid, limitMs: goneLimitMs },
  });
}
