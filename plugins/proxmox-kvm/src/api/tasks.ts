import { setTimeout as pause } from 'node:timers/promises';
import { type Call, toVbsError, VbsError } from '@vbs/core';
import { mapText, shortened } from '../map-error.js';
import type { ApiClient } from './api-client.js';
import { isRecord } from './credentials.js';

/** A change waits 10 s for a lock and 6 s for a guest. */
const taskLimitMs = 40_000;
/** For what others have begun. */
const othersLimitMs = 15_000;
const firstPauseMs = 25;
const longestPauseMs = 1_000;

/** The tasks of a node: what changes a VM goes on after its request was answered, and ends in a text. */
export class Tasks {
  constructor(
    private readonly client: ApiClient,
    private readonly node: string,
  ) {}

  /**
   * Follows a task to its end; answers how it failed.
   * @throws DEADLINE_EXCEEDED: it has not ended, or nobody could see it end; it may still take effect (`context.upid`).
   */
  async follow(call: Call, upid: string): Promise<VbsError | undefined> {
    const ended = await this.#end(call, upid);
    if (ended === undefined) {
      const why = call.signal.aborted ? 'when the call was cancelled' : `within ${taskLimitMs} ms`;
      throw new VbsError('DEADLINE_EXCEEDED', `The task ${upid} had not ended ${why}.`, { context: { upid } });
    }
    const exit = typeof ended.exitstatus === 'string' ? ended.exitstatus : '';
    if (/^(OK|WARNINGS: \d+)$/.test(exit)) return undefined;
    return (
      mapText(exit, { upid, exitStatus: exit }) ??
      new VbsError('INTERNAL', `The task ${upid} ended with: ${shortened(exit)}`, { context: { upid, exitStatus: exit } })
    );
  }

  async #end(call: Call, upid: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    try {
      return await poll(call, taskLimitMs, async () => {
        const status = await this.client.get(call, `${this.node}/tasks/${encodeURIComponent(upid)}/status`);
        return isRecord(status) && status.status === 'stopped' ? status : undefined;
      });
    } catch (cause) {
      // Whatever keeps from looking, the cancel of the call too, says nothing of a task that runs.
      const message = `The task ${upid} was begun, and its end was not seen: ${toVbsError(cause).message}`;
      throw new VbsError('DEADLINE_EXCEEDED', message, { context: { upid }, cause });
    }
  }

  /**
   * Waits for the end of changes that somebody has begun, a call before this one above all: no look tells what will be before.
   * @throws UNAVAILABLE: they do not end.
   */
  async settle(call: Call, vmid?: string): Promise<void> {
    const path = `${this.node}/tasks?source=active${vmid === undefined ? '' : `&vmid=${vmid}`}`;
    let running: readonly string[] = [];
    const isQuiet = await poll(call, othersLimitMs, async () => {
      running = runningOf(await this.client.get(call, path));
      return running.length === 0 ? true : undefined;
    });
    if (isQuiet) return;
    const message = `${running.join(', ')} ${running.length === 1 ? 'changes' : 'change'} a VM, and will be looked after again.`;
    throw new VbsError('UNAVAILABLE', message, { context: { upids: running } });
  }
}

function runningOf(tasks: unknown): readonly string[] {
  if (!Array.isArray(tasks)) throw new VbsError('INTERNAL', 'The list of tasks was answered without tasks.');
  return tasks.flatMap((task: unknown) => {
    if (!isRecord(task) || task.type !== 'qmconfig' || typeof task.upid !== 'string') return [];
    const isOver = task.endtime !== undefined || (task.status !== undefined && task.status !== 'RUNNING');
    return isOver ? [] : [task.upid];
  });
}

async function poll<T>(call: Call, limitMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const begin = performance.now();
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() - begin >= limitMs || call.signal.aborted) return undefined;
    await pause(pauseMs);
  }
}
