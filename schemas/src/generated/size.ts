// Generated from schemas/size.schema.json by npm run generate: change that, not this.

/**
 * A size as text with a unit, or whole bytes; more than zero and at most 9007199254740991 bytes.
 */
export type Size = string | number;
