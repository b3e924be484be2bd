import { setTimeout as pause } from 'node:timers/promises';
import { type Call, isVbsError } from '@vbs/core';

const databaseFailure = 6;
const mostTries = 8;
const pauseMs = 25;

/**
 * Acts by an iscsiadm that reads every node record of the node, whichever it is told: where another record goes meanwhile it ends with 6,
 * and its own part is done, or not (seen with open-iscsi 2.1.8). So it is looked, and repeated.
 */
export async function despiteOthers(call: Call, act: () => Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await act();
      return;
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'INTERNAL' || error.context.exitCode !== databaseFailure) throw error;
      if (await isDone()) return;
      if (tries === mostTries || call.signal.aborted) throw error;
      await pause(pauseMs * tries);
    }
  }
}
