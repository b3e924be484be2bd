import { setTimeout as pause } from 'node:timers/promises';
import type { Call } from '@vbs/core';

const firstPauseMs = 20;
const longestPauseMs = 500;

/** Looks until there is something; undefined when there was nothing within the limit, or until the call was cancelled. */
export async function poll<T>(call: Call, limitMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const begin = performance.now();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const found = await look();
    if (found !== undefined) return found;
    const passedMs = performance.now() - begin;
    if (passedMs >= limitMs || call.signal.aborted) return undefined;
    await pause(Math.min(pauseMs, Math.max(1, limitMs - passedMs)));
  }
}
