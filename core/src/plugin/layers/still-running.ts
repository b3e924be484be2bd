const stillRunning = new WeakMap<object, Promise<void>>();
const deepestCause = 16;

/** Remembers with an error the call that it gave up. */
export function rememberStillRunning(error: object, run: Promise<unknown>): void {
  stillRunning.set(
    error,
    run.then(
      () => undefined,
      () => undefined,
    ),
  );
}

/** Gives what was remembered with one error to another that stands for it. */
export function passOnStillRunning(from: unknown, to: object): void {
  const run = whenSettled(from);
  if (run !== undefined) stillRunning.set(to, run);
}

/**
 * When the call that ended with this error has really ended: a promise that fulfils then, whatever the end, or undefined
 * when nothing runs on. Until then its effect may still come, and nothing may check, undo or redo it (safety B2). Finds the
 * call through `cause` too; the promise has no time limit, so wait for it within one.
 */
export function whenSettled(error: unknown): Promise<void> | undefined {
  let current = error;
  for (let depth = 0; depth < deepestCause; depth += 1) {
    if (typeof current !== 'object' || current === null) return undefined;
    const run = stillRunning.get(current);
    if (run !== undefined) return run;
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}
