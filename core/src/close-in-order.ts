import { toVbsError, VbsError } from './errors.js';
import { withinLimit } from './plugin/within-limit.js';

/** One thing to close, by the name that a message calls it. */
export type Closing = readonly [name: string, close: () => Promise<void>];

/** What every part may take at least, though those before it took all the time. */
const leastMs = 250;

/**
 * Closes parts one after the other, all of them within `limitMs`. One that fails, or takes longer than what is left, keeps no other
 * from being closed; the latter goes on by itself.
 * @throws the failure of the one that did not close; of several, INTERNAL with `context.failures`.
 */
export async function closeInOrder(parts: readonly Closing[], limitMs: number): Promise<void> {
  const over = performance.now() + limitMs;
  const failures: VbsError[] = [];
  for (const [name, close] of parts) {
    const leftMs = Math.max(over - performance.now(), leastMs);
    const late = (): VbsError => new VbsError('DEADLINE_EXCEEDED', `${name} did not close in time, and was left to end by itself`);
    await withinLimit(close(), leftMs, late).catch((error: unknown) => failures.push(toVbsError(error)));
  }
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first;
  throw new VbsError('INTERNAL', `the store closed, and not all of it well: ${failures.map(({ message }) => message).join('; ')}`, {
    context: { failures: failures.map((failure) => failure.toJSON()) },
    cause: new AggregateError(failures),
  });
}
