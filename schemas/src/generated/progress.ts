// Generated from schemas/progress.schema.json by npm run generate: change that, not this.

/**
 * How far a copy is, in bytes that are on the medium.
 */
export interface Progress {
  /**
   * Bytes that are on the medium.
   */
  doneBytes: number;
  /**
   * Bytes in all.
   */
  totalBytes: number;
}
