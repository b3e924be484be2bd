import { withinLimit } from './within-limit.js';

interface Undo {
  readonly what: string;
  readonly act: () => Promise<unknown> | unknown;
}

const undoLimitMs = 30_000;

/** What has to be ended or removed, in the reverse of the order in which it came. */
export class Cleanup {
  readonly #undos: Undo[] = [];

  /** Registers what undoes something that is there now. */
  defer(what: string, act: () => Promise<unknown> | unknown): void {
    this.#undos.push({ what, act });
  }

  /**
   * Undoes everything that was registered, each within 30 s, also after one that failed; what is undone is forgotten.
   * @throws AggregateError: what could not be undone, by name.
   */
  async close(): Promise<void> {
    const errors: Error[] = [];
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      const { what, act } = undo;
      try {
        await withinLimit(Promise.resolve().then(act), undoLimitMs, what);
      } catch (cause) {
        errors.push(new Error(`${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map(({ message }) => message).join('; '));
  }
}
