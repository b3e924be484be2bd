import type { Cleanup } from './harness/cleanup.js';
import type { Row } from './row.js';

/** What a measurement is given. */
export interface Bench {
  /** Few and short runs: to see that the tools work, not for conclusions. */
  readonly quick: boolean;
  /** Aborted at the measurement's time limit, and when the user interrupts. */
  readonly signal: AbortSignal;
  /** An empty folder of this measurement's own; it goes when the measurement has ended. */
  readonly directory: string;
  /** What was started or mounted is registered here as soon as it is there; it is ended, last first, whatever happens. */
  readonly cleanup: Cleanup;
  /** One line about what is going on. */
  readonly say: (line: string) => void;
}

/** One group of rows of the table. */
export interface Measurement {
  /** For `--only`. */
  readonly name: string;
  /** The heading of its rows. */
  readonly title: string;
  /** How long it may take with `--quick` and without, in milliseconds. */
  readonly limitMs: { readonly quick: number; readonly full: number };
  /** Answers each row as soon as it is measured: what comes before a failure is kept. */
  run(bench: Bench): AsyncIterable<Row>;
}
