import { readFileSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { endProcess, markOf, type ProcessMark } from './process.js';

async function workingFolder(pid: number): Promise<string | undefined> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)).replace(/ \(deleted\)$/, '');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return undefined;
    throw error;
  }
}

function isQemu(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu-system');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH'].includes(code)) return false;
    throw error;
  }
}

/** The QEMUs that work in a folder or below it: a guest's own, whether or not its start got as far as to record it. */
export async function guestsIn(folder: string): Promise<readonly ProcessMark[]> {
  const within = resolve(folder);
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger);
  const found: ProcessMark[] = [];
  for (const pid of pids) {
    const cwd = await workingFolder(pid);
    if (cwd === undefined || (cwd !== within && !cwd.startsWith(`${within}${sep}`)) || !isQemu(pid)) continue;
    const mark = markOf(pid);
    if (mark !== undefined) found.push(mark);
  }
  return found;
}

/** Ends the QEMUs that work in a folder or below it. */
export async function endGuestsIn(folder: string): Promise<void> {
  await Promise.all((await guestsIn(folder)).map(endProcess));
}
