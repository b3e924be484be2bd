import type { ChangeStep, StepContext } from '../workflow/step.js';

interface Removal<P, O> {
  readonly name: string;
  /** It takes bytes away, not only the way to them. */
  readonly destroys?: true;
  remove(context: StepContext<P, O>): Promise<void>;
  /** Whether the outside still lists it. */
  isThere(context: StepContext<P, O>): Promise<boolean>;
}

/**
 * A step that takes something away for good: from its intent on the operation only goes forward, and it is done once nothing is listed
 * and `remove` has answered. A list shows a connection by its device, and the session behind that may outlive it.
 */
export function removalStep<P, O>({ name, destroys, remove, isThere }: Removal<P, O>): ChangeStep<P, O> {
  return {
    name,
    changes: true,
    ...(destroys === undefined ? {} : { destroys }),
    async do(context) {
      await remove(context);
      return {};
    },
    check: async (context) => ((await isThere(context)) ? 'absent' : { present: {}, repeatUnlessAnswered: true }),
    undo: 'irreversible',
  };
}
