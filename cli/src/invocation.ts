/** The arguments and options of one call, as commander read them. */
export class Invocation {
  readonly #arguments: readonly unknown[];
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(given: readonly unknown[], options: Readonly<Record<string, unknown>>) {
    this.#arguments = given;
    this.#options = options;
  }

  /** An argument that commander has made sure of. */
  argument(index: number): string {
    const value = this.#arguments[index];
    if (typeof value !== 'string') throw new TypeError(`argument ${index} is missing`);
    return value;
  }

  optional(index: number): string | undefined {
    const value = this.#arguments[index];
    return typeof value === 'string' ? value : undefined;
  }

  /** All of a variadic argument. */
  rest(index: number): readonly string[] {
    const value = this.#arguments[index];
    return Array.isArray(value) ? value.map(String) : [];
  }

  text(option: string): string | undefined {
    const value = this.#options[option];
    return typeof value === 'string' ? value : undefined;
  }

  number(option: string): number | undefined {
    const value = this.#options[option];
    return typeof value === 'number' ? value : undefined;
  }

  flag(option: string): boolean {
    return this.#options[option] === true;
  }

  /** Whether `--no-…` was given. */
  off(option: string): boolean {
    return this.#options[option] === false;
  }
}
