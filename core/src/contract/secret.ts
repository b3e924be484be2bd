import { inspect } from 'node:util';

const redacted = '[redacted]';
const brand = Symbol.for('vbs.secret');

/** A text that prints as `[redacted]` everywhere (string, JSON, inspection); `reveal()` is the one way to it. */
export class Secret {
  readonly #text: string;
  readonly [brand] = true;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect.custom](): string {
    return redacted;
  }
}

/** Whether a value is a Secret, also one of another copy of the core. */
export function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && (value as { [brand]?: unknown })[brand] === true;
}
