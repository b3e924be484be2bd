/** What ava, node:test and vitest all are. */
export type Test = (title: string, body: () => Promise<void>) => unknown;

/** One promise of one method, and how it is proved. */
export interface Proof<S> {
  readonly method: string;
  /** The end of the title: `volumeBackend › createVolume › is idempotent`. */
  readonly promise: string;
  /** The capability without which the proof is that the instance refuses. */
  readonly needs?: string;
  prove(scene: S): Promise<void>;
}

/** Ends with an error when the work has not ended in time; the work itself goes on. */
export async function inTime<T>(work: Promise<T>, limitMs: number, late: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${late} within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** ava fails a test in which it saw no assertion of its own, and hands every body an object with `pass`. */
function tellRunner(context: unknown): void {
  if (typeof context !== 'object' || context === null || !('pass' in context)) return;
  const { pass } = context;
  if (typeof pass === 'function') pass.call(context);
}

/** A body that takes what the runner hands it, and what it hands is no concern of the proof. */
export function body(prove: () => Promise<void>, limitMs: number): () => Promise<void> {
  return async (...context: unknown[]) => {
    await inTime(prove(), limitMs, 'the test has not ended');
    tellRunner(context[0]);
  };
}
