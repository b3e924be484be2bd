import { type Call, unlessCode, VbsError } from '@vbs/core';
import { isRevoked, lunOf, revokedState } from './compare.js';
import { drain } from './drain.js';
import type { TgtTarget } from './parse-targets.js';
import type { Tools } from './tools.js';

const mostRounds = 20;
const drainLimitMs = 30_000;

/**
 * Shuts everybody out of an export (safety F3). The target goes offline, so that nobody logs in, its access list is emptied and only
 * then its account goes (trap 1: without one it would ask for no secret). The LUN goes offline, which stops also who was in the middle
 * of a login, and what is in flight ends; then sessions are dropped until none is left.
 * @throws NOT_FOUND. DEADLINE_EXCEEDED: commands are still in flight, and their writes may still come.
 */
export async function revokeAccess(call: Call, tools: Tools, exportId: string): Promise<void> {
  const { tgtadm, marks } = tools;
  const target = await find(call, tools, exportId);
  if (target === undefined) {
    throw new VbsError('NOT_FOUND', `There is no export ${exportId}.`, { resource: exportId });
  }
  const { tid } = target;
  await marks.set(call, exportId);
  if (!isRevoked(target)) await tgtadm.setTargetState(call, exportId, tid, revokedState);
  for (const who of target.acl) await unlessCode('NOT_FOUND', tgtadm.expel(call, exportId, tid, who));
  for (const user of target.accounts) await unlessCode('NOT_FOUND', tgtadm.deleteAccount(call, exportId, user));
  const lun = lunOf(target);
  if (lun?.online === true) await tgtadm.setLunOnline(call, exportId, tid, false);
  if (lun !== undefined && target.sessions.length > 0) await drain(call, tgtadm, { exportId, tid }, drainLimitMs);
  for (let round = 0; round < mostRounds; round++) {
    const now = await find(call, tools, exportId);
    if (now === undefined || now.sessions.length === 0) return;
    for (const { sid, connections } of now.sessions) {
      for (const cid of connections) await unlessCode('NOT_FOUND', tgtadm.dropConnection(call, exportId, tid, sid, cid));
    }
  }
  throw new VbsError(
    'UNAVAILABLE',
    `Sessions of ${exportId} come back or do not end; its access is shut, and nothing is written. Try again.`,
    {
      resource: exportId,
    },
  );
}

async function find(call: Call, { daemon, names }: Tools, exportId: string): Promise<TgtTarget | undefined> {
  const { targets } = await daemon.look(call);
  return targets.find(({ iqn }) => iqn === names.iqn(exportId));
}
