import type { Call, VbsError } from '@vbs/core';
import type { Disk } from './disks.js';
import { diskIn, lookAfter, type Picture } from './look.js';
import { poll } from './poll.js';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/** xl waits 10 s for the guest; xm, which waits longer, leaves its wish with xend when it is ended. */
const commandLimitMs = 25_000;
/** For the entry to go, once the tool says that it has. */
const goneLimitMs = 2_000;

/** What came of taking a disk out: how the tool ended, and what is in the slot now. */
export interface TakenOut {
  readonly failure: VbsError | undefined;
  /** Of this source; undefined: it is gone. */
  readonly left: Disk | undefined;
}

/** Asks the guest to let go of a disk that was seen to be this source's, and looks what came of it: exit codes decide nothing. */
export async function takeOut(call: Call, tools: Tools, wanted: Wanted): Promise<TakenOut> {
  const { vm, vdev, attachmentId } = wanted;
  const failure = await tools.change(call, 'detach', { vmId: vm, vmDev: vdev.name }, { guard: attachmentId, timeLimitMs: commandLimitMs });
  let left: Disk | undefined;
  await poll(call, failure === undefined ? goneLimitMs : 0, async () => {
    left = ours(await lookAfter(call, tools, wanted), wanted);
    return left === undefined ? true : undefined;
  });
  return { failure, left };
}

function ours(picture: Picture, wanted: Wanted): Disk | undefined {
  const disk = diskIn(picture, wanted);
  return disk?.path === wanted.path ? disk : undefined;
}
