import { randomBytes } from 'node:crypto';
import { type Call, Secret, unlessCode, VbsError } from '@vbs/core';
import { ownLine } from './allow-file.js';
import { lunOf } from './compare.js';
import { closed, lineOf } from './delete-export.js';
import { dropSessions } from './sessions.js';
import { deleteLun } from './take-away.js';
import { look, type Tools } from './tools.js';

const secretBytes = 8;

/**
 * Shuts everybody out of an export (safety F3). Its line in the access list lets nobody in from then on, also after a restart of ietd, and
 * its account is replaced by one whose secret nobody knows: IET asks nobody for a secret where a target has no account. The LUN goes, so
 * that who was in the middle of a login finds nothing; then connections are dropped until the kernel tells no session.
 * @throws NOT_FOUND. DEADLINE_EXCEEDED: sessions do not end, and their writes may still come.
 */
export async function revokeAccess(call: Call, tools: Tools, exportId: string): Promise<void> {
  const { names, list } = tools;
  const iqn = names.iqn(exportId);
  const { targets, allow } = await look(call, tools);
  const target = targets.find((one) => one.iqn === iqn);
  if (target === undefined) throw new VbsError('NOT_FOUND', `There is no export ${exportId}.`, { resource: exportId });
  await list.set(call, exportId, closed(ownLine(allow, iqn) ?? lineOf(target), 'revoked'));
  await replaceUsers(call, tools, exportId, target.tid);
  if (lunOf(target) !== undefined) await deleteLun(call, tools, exportId, target);
  await dropSessions(call, tools, exportId, target);
}

async function replaceUsers(call: Call, { ietadm }: Tools, exportId: string, tid: number): Promise<void> {
  const nobody = `revoked-${exportId}`;
  const users = await ietadm.users(call, tid);
  if (!users.some(({ direction, name }) => direction === 'IncomingUser' && name === nobody)) {
    await ietadm.createUser(call, exportId, tid, nobody, new Secret(randomBytes(secretBytes).toString('hex')));
  }
  for (const user of users) {
    if (user.name !== nobody) await unlessCode('NOT_FOUND', ietadm.deleteUser(call, exportId, tid, user));
  }
}
