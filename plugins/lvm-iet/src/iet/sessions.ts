import { setTimeout as pause } from 'node:timers/promises';
import { type Call, VbsError } from '@vbs/core';
import type { SeenTarget } from './proc.js';
import type { Tools } from './tools.js';

const limitMs = 30_000;
const firstPauseMs = 10;
const longestPauseMs = 250;

/** @throws FAILED_PRECONDITION: somebody is connected (`context.sessions`). */
export function refuseSessions(exportId: string, { sessions, iqn }: SeenTarget): void {
  if (sessions.length === 0) return;
  const told = sessions.map(({ initiator }) => ({ initiator }));
  const message = `${told.length} initiators are connected to the export ${exportId}: ${told.map(({ initiator }) => initiator).join(', ')}. Disconnect them, or revoke access.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { sessions: told, iqn } });
}

/**
 * Drops each connection of a target until the kernel tells no session of it: it forgets one when the last of its commands has ended.
 * @throws DEADLINE_EXCEEDED: some do not end, or come back.
 */
export async function dropSessions(call: Call, { proc, ietadm }: Tools, exportId: string, { tid, iqn }: SeenTarget): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const sessions = (await proc.targets(call)).find((target) => target.iqn === iqn)?.sessions ?? [];
    if (sessions.length === 0) return;
    if (performance.now() > deadline || call.signal.aborted) {
      const message = `${sessions.length} sessions of ${exportId} have not ended: its disk may not answer, and what they write may still come. Try again.`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { resource: exportId, context: { sessions: sessions.length, limitMs } });
    }
    for (const { sid, connections } of sessions) {
      for (const { cid, state } of connections) {
        if (state !== 'closing') await ietadm.dropConnection(call, exportId, tid, sid, cid);
      }
    }
    await pause(pauseMs);
  }
}
