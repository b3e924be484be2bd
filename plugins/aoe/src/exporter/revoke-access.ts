import { type Call, VbsError } from '@vbs/core';
import type { Tools } from './tools.js';

/**
 * Shuts everybody out of an export (safety F3): a durable note that it is never opened again, and then its vblade ends. AoE knows no
 * sessions, and who is not answered cannot write; vblade does one command at a time, so that none is left when it has ended.
 * @throws NOT_FOUND. DEADLINE_EXCEEDED: vblade does not end, since its disk does not answer.
 */
export async function revokeAccess(call: Call, { blades, marks }: Tools, exportId: string): Promise<void> {
  const [mark, running] = await Promise.all([marks.get(call, exportId), blades.of(call, exportId)]);
  const [first] = running;
  if (mark === undefined && first === undefined) throw new VbsError('NOT_FOUND', `There is no export ${exportId}.`, { resource: exportId });
  if (mark === undefined && first !== undefined) await marks.set(call, { exportId, serial: first.serial, blade: first.blade });
  for (const one of running) await blades.stop(call, one);
}
