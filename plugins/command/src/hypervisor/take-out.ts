import { type Call, errorTable, type RunOptions, toVbsError, VbsError } from '@vbs/core';
import { poll } from '../rules/poll.js';
import { type Values, wasBegun } from '../rules/tools.js';
import { type Disk, diskIn, look, type Parts } from './look.js';
import type { Wanted } from './requests.js';

const commandLimitMs = 25_000;

/** What came of taking a disk out: how the tool ended, and what of this source is in the slot now. */
export interface TakenOut {
  readonly failure: VbsError | undefined;
  readonly left: Disk | undefined;
}

/** Asks for a disk that was seen to be this source's, and looks what came of it. @throws what says that it was not begun. */
export async function takeOut(call: Call, parts: Parts, wanted: Wanted): Promise<TakenOut> {
  const { vm, slot, path, attachmentId } = wanted;
  const failure = await change(
    call,
    parts,
    'detach',
    { vmId: vm, vmDev: slot, vmmDev: path },
    { guard: attachmentId, timeLimitMs: commandLimitMs },
  );
  let left: Disk | undefined;
  await poll(call, failure === undefined ? parts.rules.attachTimeoutMs : 0, async () => {
    const disk = diskIn(await parts.tools.after(call, attachmentId, () => look(call, parts)), wanted);
    // A disk whose source is not told may be it, on its way out.
    left = disk === undefined || (disk.source !== undefined && disk.source !== path) ? undefined : disk;
    return left === undefined ? true : undefined;
  });
  return { failure, left };
}

/** A changing command; answers how it failed. @throws what says that it was not begun. */
export async function change(
  call: Call,
  { tools }: Parts,
  name: 'attach' | 'detach',
  values: Values,
  options: RunOptions & { readonly guard: string },
): Promise<VbsError | undefined> {
  try {
    await tools.change(call, name, values, options);
    return undefined;
  } catch (error) {
    const failure = toVbsError(error);
    if (wasBegun(failure)) return failure;
    if (!tools.hasChanged(call) || errorTable[failure.code].outcome === 'unknown') throw failure;
    // A command before it was run: this word is about the later one alone.
    throw new VbsError('DEADLINE_EXCEEDED', `A command has been run, and the next was not: ${failure.message}`, {
      context: failure.context,
      cause: failure,
    });
  }
}
