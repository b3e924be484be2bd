import { inspect } from 'node:util';

const redacted = '[redacted]';

/** A text that prints as `[redacted]` everywhere (string, JSON, inspection); `reveal()` is the one way to it. */
export class Secret {
  readonly #text: string;

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
