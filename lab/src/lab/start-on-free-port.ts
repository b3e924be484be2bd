import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isVbsError } from '@vbs/core';
import { drawPort } from '../ports.js';
import { guestFiles } from '../qemu/arguments.js';
import { isRunning, type ProcessMark, type StartQemu, startQemu } from '../qemu/process.js';
import { Qmp } from '../qemu/qmp.js';
import { guestError } from '../qemu/wait-for-boot.js';

const portTries = 4;
const startLimitMs = 30_000;

/** Starts a QEMU until it listens on its port: another program may have taken the one that was drawn. @throws UNAVAILABLE. */
export async function startOnFreePort(start: StartQemu): Promise<{ readonly process: ProcessMark; readonly sshPort: number }> {
  let { sshPort } = start.machine;
  for (let tries = 1; ; tries++) {
    const process = await startQemu({ ...start, machine: { ...start.machine, sshPort } });
    if (await answers(process)) return { process, sshPort };
    const said = await readFile(join(start.folder, guestFiles.said), 'utf8');
    const isTaken = said.includes(`hostfwd=tcp:127.0.0.1:${sshPort}-`) || /Could not set up host forwarding rule/.test(said);
    if (!isTaken || tries === portTries) throw await guestError('UNAVAILABLE', start.machine.name, 'could not be started', start.folder);
    sshPort = await drawPort();
  }
}

/** True once QEMU has taken all of its arguments; false when it has ended. */
async function answers(process: ProcessMark): Promise<boolean> {
  for (const deadline = Date.now() + startLimitMs; isRunning(process) && Date.now() < deadline; await pause(10)) {
    try {
      const qmp = await Qmp.connect(process.pid, 0);
      qmp.close();
      return true;
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'UNAVAILABLE') throw error;
    }
  }
  return false;
}
