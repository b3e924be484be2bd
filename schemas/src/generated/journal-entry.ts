// Generated from schemas/journal-entry.schema.json by npm run generate: change that, not this.

/**
 * One entry of an operation's journal.
 */
export interface JournalEntry {
  /**
   * The step.
   */
  step: string;
  /**
   * Whether it was done or undone.
   */
  act: 'do' | 'undo';
  /**
   * How it ended; intended is written before it begins.
   */
  outcome: 'intended' | 'done' | 'failed' | 'unknown';
  /**
   * When it was written (RFC 3339).
   */
  at: string;
}
