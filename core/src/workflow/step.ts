import type { Call } from '../contract/call.js';

/** What a step is given: what the operation was asked, what earlier steps answered, and the call for its plugin. */
export interface StepContext<P, O> {
  readonly operationId: string;
  readonly params: P;
  readonly output: Readonly<Partial<O>>;
  /** The durable progress that this step has reported, before a restart too; in bytes. */
  readonly doneBytes: number;
  readonly call: Call;
}

/**
 * Whether a step's effect is there, seen outside (safety A1): `present` with what the step would have answered, `absent`, or
 * `unclear`, where the outside does not tell.
 */
export type Check<O> =
  | {
      readonly present: Partial<O>;
      /** What the outside lists may show it before all of the effect is there: who never got the act's answer repeats it. */
      readonly repeatUnlessAnswered?: true;
    }
  | 'absent'
  | 'unclear';

interface StepBase<P, O> {
  readonly name: string;
  /** Acts, and answers what later steps need. Repeating it brings the same state. */
  do(context: StepContext<P, O>): Promise<Partial<O>>;
  /** `note`: a failure is written down in the output's `remains`, and the operation goes on. `stop` unless told. */
  readonly onFailure?: 'stop' | 'note';
}

/** A step that changes nothing: it needs no check and no undo. */
export interface ReadStep<P, O> extends StepBase<P, O> {
  readonly changes: false;
}

/** A step that changes something outside. */
export interface ChangeStep<P, O> extends StepBase<P, O> {
  readonly changes: true;
  check(context: StepContext<P, O>): Promise<Check<O>>;
  /** Bytes go with it, perhaps bit by bit: an effect that is absent does not tell that nothing was touched. */
  readonly destroys?: true;
  /** Takes the effect back, or `irreversible`: once it may have acted, the operation only goes forward. */
  readonly undo: 'irreversible' | ((context: StepContext<P, O>) => Promise<void>);
}

export type Step<P, O> = ReadStep<P, O> | ChangeStep<P, O>;
