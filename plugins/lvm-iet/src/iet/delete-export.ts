import type { Call } from '@vbs/core';
import { decidingLine, type OwnLine, ownLine } from './allow-file.js';
import { lunOf } from './compare.js';
import type { SeenTarget } from './proc.js';
import { refuseSessions } from './sessions.js';
import { takeAway } from './take-away.js';
import { look, type Tools } from './tools.js';

/**
 * Takes an export away that nobody is connected to: access first (nobody can come in any more, and nobody is in by then), then the rest.
 * @throws FAILED_PRECONDITION: somebody is connected (`context.sessions`).
 */
export async function deleteExport(call: Call, tools: Tools, exportId: string): Promise<void> {
  const { list, names, proc, settings } = tools;
  const iqn = names.iqn(exportId);
  const { targets, allow } = await look(call, tools);
  const target = targets.find((one) => one.iqn === iqn);
  const own = ownLine(allow, iqn);
  if (target === undefined) {
    if (own !== undefined) await list.remove(call, exportId, iqn);
    return;
  }
  refuseSessions(exportId, target);
  const wasOpen = own?.state === 'open' && lunOf(target) !== undefined;
  if (own?.state === 'open' || own?.state === 'making' || (own === undefined && decidingLine(allow, iqn) !== undefined)) {
    await list.set(call, exportId, closed(own ?? lineOf(target), 'closing'));
    const now = (await proc.targets(call)).find((one) => one.iqn === iqn);
    if (now !== undefined && now.sessions.length > 0) {
      // Connected since the first look: as it was.
      if (own !== undefined) await list.set(call, exportId, own);
      refuseSessions(exportId, now);
    }
  }
  const users = wasOpen && settings.chap ? ([{ direction: 'IncomingUser', name: exportId }] as const) : 'unknown';
  await takeAway(call, tools, target, { exportId, users });
}

export function closed(line: OwnLine, state: Exclude<OwnLine['state'], 'open'>): OwnLine {
  return { ...line, state, admitted: [] };
}

/** The line of a target that has lost its own. */
export function lineOf(target: SeenTarget): OwnLine {
  return { iqn: target.iqn, state: 'closing', mode: lunOf(target)?.mode === 'ro' ? 'ro' : 'rw', serial: 'unknown', admitted: [] };
}
