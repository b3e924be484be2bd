import { type Call, isVbsError, unlessCode, VbsError } from '@vbs/core';
import type { TgtTarget } from './parse-targets.js';
import type { Tools } from './tools.js';

/**
 * Removes a target that nobody is connected to, then its account (trap 1: the other way round it would be open without a secret). tgtd
 * removes target, LUN and access list in one act and refuses it while there is a session, so that nobody can come in between.
 * @throws FAILED_PRECONDITION: somebody is connected (`context.sessions`).
 */
export async function deleteExport(call: Call, tools: Tools, exportId: string): Promise<void> {
  const { tgtadm, marks, settings } = tools;
  const target = await find(call, tools, exportId);
  if (target !== undefined) {
    refuseSessions(exportId, target);
    try {
      await unlessCode('NOT_FOUND', tgtadm.deleteTarget(call, exportId, target.tid));
    } catch (error) {
      // Somebody connected since the look.
      const now = isVbsError(error) && error.code === 'FAILED_PRECONDITION' ? await find(call, tools, exportId) : undefined;
      if (now !== undefined) refuseSessions(exportId, now);
      throw error;
    }
  }
  if (settings.chap || (target?.accounts.includes(exportId) ?? false))
    await unlessCode('NOT_FOUND', tgtadm.deleteAccount(call, exportId, exportId));
  await marks.remove(call, exportId);
}

function refuseSessions(exportId: string, { sessions, iqn }: TgtTarget): void {
  if (sessions.length === 0) return;
  const told = sessions.map(({ initiator }) => ({ initiator }));
  const message = `${told.length} initiators are connected to the export ${exportId}: ${told.map(({ initiator }) => initiator).join(', ')}. Disconnect them, or revoke access.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { sessions: told, iqn } });
}

async function find(call: Call, { daemon, names }: Tools, exportId: string): Promise<TgtTarget | undefined> {
  const { targets } = await daemon.look(call);
  return targets.find(({ iqn }) => iqn === names.iqn(exportId));
}
