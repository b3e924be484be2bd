import { setTimeout as pause } from 'node:timers/promises';
import { type Call, VbsError } from '@vbs/core';
import type { Tgtadm } from './tgtadm.js';

const pauseMs = 20;

/**
 * Waits until no command of an offline LUN is in flight. Where the target is offline too new ones are refused, so the number only falls;
 * otherwise it may rise again at once.
 * @throws DEADLINE_EXCEEDED: some still are; the disk does not answer.
 */
export async function drain(
  call: Call,
  tgtadm: Tgtadm,
  target: { readonly exportId: string; readonly tid: number },
  limitMs: number,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const count = await tgtadm.inFlight(call, target.tid);
    if (count === 0) return;
    if (performance.now() > deadline || call.signal.aborted) {
      const message = `${count} commands for ${target.exportId} have not ended: its disk does not answer. Look at the disk and try again.`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { resource: target.exportId, context: { inFlight: count, limitMs } });
    }
    await pause(pauseMs);
  }
}
