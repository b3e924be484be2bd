import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { readProcessStat } from './proc.js';

/** Tells one process from every other, also from a later one of the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In clock ticks since boot: field 22 of /proc/<pid>/stat. */
  readonly startTime: number;
  /** Of /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  readonly hostname: string;
}

/** The boot id of this machine, which is another after each boot. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** The identity of a process of this machine; undefined when there is none of this pid. */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = readProcessStat(pid);
  if (stat === undefined || stat.dead) return undefined;
  return { pid, startTime: stat.startTime, bootId: readBootId(), hostname: hostname() };
}

/** The identity of this process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  const identity = await processIdentity(process.pid);
  if (identity === undefined) throw new Error('/proc does not show this process: mount proc(5), VBS cannot work without it.');
  return identity;
}

/**
 * True only when it is certain that the process has ended: on this host and in this boot its pid is free or was given to another
 * process, or this host was booted again since. False for a process of another host, and whenever it cannot be told.
 */
export async function isKnownDead(identity: ProcessIdentity): Promise<boolean> {
  if (identity.hostname !== hostname()) return false;
  if (identity.bootId !== readBootId()) return true;
  const stat = readProcessStat(identity.pid);
  if (stat !== undefined) return stat.dead || stat.startTime !== identity.startTime;
  return isPidFree(identity.pid);
}

/** /proc may hide the processes of other users (hidepid); a signal finds them all the same. */
function isPidFree(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
