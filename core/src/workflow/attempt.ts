import { errorTable, toVbsError, type VbsError } from '../errors.js';
import { whenSettled } from '../plugin/layers/index.js';
import { Fenced, PendingEffect } from './fenced.js';
import type { ChangeStep, Check, StepContext } from './step.js';

/** How one act of a step ended (safety A1). `settled` ends when a call that outlived its time limit has really ended (safety B2). */
export type Attempt<T> =
  | { readonly outcome: 'done'; readonly value: T }
  | { readonly outcome: 'failed'; readonly error: VbsError }
  | { readonly outcome: 'unknown'; readonly error: VbsError; readonly settled: Promise<void> | undefined };

export async function attempt<T>(act: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { outcome: 'done', value: await act() };
  } catch (thrown) {
    if (thrown instanceof Fenced) throw thrown;
    const settled = whenSettled(thrown);
    if (thrown instanceof PendingEffect) return { outcome: 'unknown', error: thrown.cause, settled };
    const error = toVbsError(thrown);
    const { outcome } = errorTable[error.code];
    return outcome === 'failed' && settled === undefined ? { outcome, error } : { outcome: 'unknown', error, settled };
  }
}

/** A step's effect as its check sees it; a check that fails is unclear, not answered, and says why. */
export type Seen<O> =
  | { readonly effect: 'present'; readonly value: Partial<O>; readonly repeat: boolean }
  | { readonly effect: 'absent' }
  | { readonly effect: 'unclear'; readonly why: string; readonly answered: boolean };

export async function look<P, O>(step: ChangeStep<P, O>, context: StepContext<P, O>): Promise<Seen<O>> {
  const checked = await attempt<Check<O>>(() => step.check(context));
  if (checked.outcome !== 'done') return { effect: 'unclear', why: checked.error.message, answered: false };
  const { value } = checked;
  if (value === 'absent') return { effect: 'absent' };
  if (value === 'unclear') return { effect: 'unclear', why: `nothing tells whether ${step.name} took effect`, answered: true };
  return { effect: 'present', value: value.present, repeat: value.repeatUnlessAnswered === true };
}
