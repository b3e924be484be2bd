import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { consoleTail, lastWords } from './console.js';
import { isRunning, type ProcessMark } from './process.js';

export const bootLimitMs = 90_000;

export interface Booting {
  readonly name: string;
  readonly folder: string;
  readonly process: ProcessMark;
  /** Where this boot begins in the console's file, in bytes. */
  readonly from: number;
}

/** The error of a guest that is not up, with what it said. */
export async function guestError(code: 'UNAVAILABLE' | 'DEADLINE_EXCEEDED', name: string, what: string, folder: string, cause?: unknown) {
  const context = { guest: name };
  return new VbsError(code, `The guest ${name} ${what}.\n${await lastWords(folder)}`, {
    context,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Ends when the guest has said that it is ready. @throws UNAVAILABLE, DEADLINE_EXCEEDED: with the end of its console. */
export async function waitForBoot({ name, folder, process, from }: Booting, limitMs = bootLimitMs): Promise<void> {
  for (const deadline = Date.now() + limitMs; ; await pause(50)) {
    const running = isRunning(process);
    const said = await consoleTail(folder, from);
    if (/^vbs-lab: [\d.]+ s: ready$/m.test(said)) return;
    const fault = /^vbs-lab: .*FAILED.*$|Kernel panic.*$|^\(XEN\) Panic on CPU.*$/m.exec(said)?.[0];
    if (fault !== undefined) throw await guestError('UNAVAILABLE', name, `did not boot: ${fault}`, folder);
    if (!running) throw await guestError('UNAVAILABLE', name, 'ended while it booted', folder);
    if (Date.now() > deadline) throw await guestError('DEADLINE_EXCEEDED', name, `did not boot within ${limitMs / 1000} s`, folder);
  }
}
