import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { imageFiles } from '../paths.js';
import { type GuestMachine, guestFiles, qemuArguments } from './arguments.js';

/** Tells a process from a later one of the same pid. */
export interface ProcessMark {
  readonly pid: number;
  /** In clock ticks since boot: field 22 of /proc/<pid>/stat (proc_pid_stat(5)). */
  readonly startTime: number;
}

/** The mark of a process; undefined when there is none of this pid, or it has ended and only waits to be asked how. */
export function markOf(pid: number): ProcessMark | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, startTime: Number(fields[19]) };
}

export function isRunning(mark: ProcessMark): boolean {
  return markOf(mark.pid)?.startTime === mark.startTime;
}

/** Ends a process at once and waits until it is gone. @throws DEADLINE_EXCEEDED: it hangs in the kernel. */
export async function endProcess(mark: ProcessMark): Promise<void> {
  if (!isRunning(mark)) return;
  try {
    process.kill(mark.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  for (const deadline = Date.now() + 10_000; isRunning(mark); await pause(10))
    if (Date.now() > deadline) throw new VbsError('DEADLINE_EXCEEDED', `Process ${mark.pid} does not end, though it was killed.`);
}

export interface StartQemu {
  readonly machine: GuestMachine;
  /** Its working folder. */
  readonly folder: string;
  /** From the saved state of the image, or by a boot of its kernel. */
  readonly from: 'saved-state' | 'kernel';
  /** It ends with the thread that started it. */
  readonly endsWithUs: boolean;
}

/** Starts the QEMU of a guest. @throws INTERNAL: it could not be started. */
export async function startQemu({ machine, folder, from, endsWithUs }: StartQemu): Promise<ProcessMark> {
  const said = await open(join(folder, guestFiles.said), 'a');
  const saved = from === 'saved-state' ? await open(join(machine.image, imageFiles.saved), 'r') : undefined;
  const qemu = ['qemu-system-x86_64', ...qemuArguments(machine, saved !== undefined)];
  const [tool = '', ...words] = endsWithUs ? ['setpriv', '--pdeathsig', 'KILL', '--', ...qemu] : qemu;
  try {
    const child = spawn(tool, words, {
      cwd: folder,
      detached: true,
      stdio: ['ignore', said.fd, said.fd, ...(saved === undefined ? [] : [saved.fd])],
    });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    const started = new Promise<void>((resolve) => child.once('spawn', resolve));
    await Promise.race([started, failed]);
    child.unref();
    const mark = child.pid === undefined ? undefined : markOf(child.pid);
    if (mark === undefined)
      throw new VbsError('INTERNAL', `The QEMU of ${machine.name} ended at once: see ${join(folder, guestFiles.said)}.`);
    return mark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new VbsError('FAILED_PRECONDITION', `The tool ${tool} is not installed.`, { context: { tool } });
    throw error;
  } finally {
    await said.close();
    await saved?.close();
  }
}
