import { isGroupRunning, isRunning, readProcessStat } from './proc.js';
import { waitUntil } from './wait-until.js';

/** How long a process may take to end after SIGKILL: only one that hangs in the kernel takes longer. */
const killGraceMs = 5_000;

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // A tool behind sudo is another user's: it cannot be ended, and whether it ends by itself is seen by whoever waits.
    if (code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
}

async function end(target: number, running: () => boolean, graceMs: number): Promise<boolean> {
  const gone = (): true | undefined => (running() ? undefined : true);
  if (!running()) return true;
  send(target, 'SIGTERM');
  if ((await waitUntil(gone, { limitMs: graceMs, longestPauseMs: 50 })) !== undefined) return true;
  send(target, 'SIGKILL');
  return (await waitUntil(gone, { limitMs: killGraceMs, longestPauseMs: 50 })) !== undefined;
}

/**
 * Ends a process group, SIGTERM first and SIGKILL after the grace, and waits for its end. False: it has not
 * ended, since it hangs in the kernel or belongs to another user.
 */
export function endGroup(group: number, graceMs: number): Promise<boolean> {
  return end(-group, () => isGroupRunning(group), graceMs);
}

/** Ends a process (with its group, if it leads one) that is verified by its start time. False: it has not ended. */
export async function endProcess(target: { readonly pid: number; readonly startTime: number }, graceMs: number): Promise<boolean> {
  if (!isRunning(target)) return true;
  if (readProcessStat(target.pid)?.group === target.pid) return endGroup(target.pid, graceMs);
  return end(target.pid, () => isRunning(target), graceMs);
}
