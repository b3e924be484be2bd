/** What the kernel tells about processes, read from /proc (proc_pid_stat(5), proc_pid_environ(5)). */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface ProcessStat {
  readonly pid: number;
  /** In clock ticks since boot: with the pid and the boot id, what tells a process from a later one of the same pid. */
  readonly startTime: number;
  readonly group: number;
  readonly session: number;
  /** It has ended and only waits for its parent to ask how. */
  readonly dead: boolean;
}

function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ESRCH';
}

/** The process of this pid; undefined when there is none, or when /proc does not show it to us. */
export function readProcessStat(pid: number): ProcessStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  // The second field is the command's name in parentheses, and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]);
  const state = fields[0];
  // A leader that ended before its threads is a zombie too, while the process goes on.
  const dead = state === 'X' || (state === 'Z' && field(20) <= 1);
  return { pid, startTime: field(22), group: field(5), session: field(6), dead };
}

/** Every process that has not ended. */
export function listProcesses(): readonly ProcessStat[] {
  const found: ProcessStat[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = readProcessStat(Number(name));
    if (stat !== undefined && !stat.dead) found.push(stat);
  }
  return found;
}

/** True while the process of this pid is the one that started then. */
export function isRunning(process: { readonly pid: number; readonly startTime: number }): boolean {
  const stat = readProcessStat(process.pid);
  return stat !== undefined && !stat.dead && stat.startTime === process.startTime;
}

/** True while a process group has a member that has not ended. */
export function isGroupRunning(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  // The signal also reaches members that have ended and were not asked for yet.
  return listProcesses().some((member) => member.group === group);
}

export interface MarkedProcess extends ProcessStat {
  readonly value: string;
}

/** The processes that were started with an environment variable, and its value; not those whose environment we may not read. */
export async function listMarked(variable: string, among: (stat: ProcessStat) => boolean): Promise<readonly MarkedProcess[]> {
  const marked: MarkedProcess[] = [];
  for (const stat of listProcesses()) {
    if (stat.pid === process.pid || !among(stat)) continue;
    const value = await environmentValue(stat.pid, variable);
    if (value !== undefined) marked.push({ ...stat, value });
  }
  return marked;
}

async function environmentValue(pid: number, variable: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/environ`, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (isGone(error) || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
  const entry = text.split('\0').find((line) => line.startsWith(`${variable}=`));
  return entry?.slice(variable.length + 1);
}
