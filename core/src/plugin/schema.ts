declare const configType: unique symbol;

/** A JSON Schema (2020-12) that admits exactly `T`. */
export interface Schema<T> {
  readonly [keyword: string]: unknown;
  readonly [configType]?: (config: T) => void;
}
