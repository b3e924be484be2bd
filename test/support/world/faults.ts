import { setTimeout as pause } from 'node:timers/promises';
import { type Call, VbsError } from '@vbs/core';

/** How a call goes wrong (safety A7). */
export const faultKinds = [
  /** A clean refusal: nothing was changed. */
  'fails',
  /** No answer from the daemon; nothing was changed, but who called cannot know. */
  'unavailable',
  /** It took effect, and then failed without a code. */
  'fails-after-effect',
  /** It takes no notice of the abort, and ends without effect when it is released. */
  'hangs',
  /** It ends without effect on the abort. */
  'hangs-until-aborted',
  /** Its effect comes after its time limit and grace, and it takes no notice of the abort. */
  'late',
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** One call of one operation that goes wrong; `nth` counts that operation's calls of the method from 1. */
export interface Fault {
  readonly method: string;
  readonly nth: number;
  readonly kind: FaultKind;
}

/** The effect of a late call comes so long after it began; longer than every time limit and grace of the fixture. */
export const lateMs = 350;

/** What hangs is let go so long after it began: its operation is stuck by then. */
const hangMs = 400;

/** Says of each call how it goes wrong. */
export type FaultSource = (call: Call, method: string, request: unknown) => Promise<FaultKind | undefined>;

export const noFaults: FaultSource = async () => undefined;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));

/** What a fault does before an effect. @throws what the call fails with, where the effect is not to come. */
export async function beforeEffect(fault: FaultKind | undefined, call: Call): Promise<void> {
  switch (fault) {
    case 'fails':
      throw new VbsError('RESOURCE_EXHAUSTED', 'the world has no room');
    case 'unavailable':
      throw new VbsError('UNAVAILABLE', 'the world does not answer');
    case 'hangs':
      await pause(hangMs);
      throw new Error('the world hung');
    case 'hangs-until-aborted':
      await aborted(call.signal);
      throw new Error('the world was interrupted');
    case 'late':
      await pause(lateMs);
  }
}

export function afterEffect(fault: FaultKind | undefined): void {
  if (fault === 'fails-after-effect') throw new Error('the world lost the answer');
}
