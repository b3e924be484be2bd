// Generated from schemas/operation.schema.json by npm run generate: change that, not this.
import type { Progress } from './progress.js';

/**
 * Work on a resource, as the journal has it.
 */
export interface Operation {
  /**
   * op- and 17 hex digits.
   */
  id: string;
  /**
   * What is being done, by the operation's name. More names may come.
   */
  kind: string;
  /**
   * A stuck operation could neither be finished nor undone yet; it is tried again, and its resources take no other.
   */
  state: 'running' | 'stuck' | 'succeeded' | 'failed';
  /**
   * The volume, snapshot or attachment that it works on.
   */
  resourceId: string;
  /**
   * The step that it is at; null when it has ended.
   */
  step: string | null;
  /**
   * How far a copy is; null when nothing is copied.
   */
  progress: Progress | null;
  /**
   * The first error of a failed or stuck operation.
   */
  error: {
    /**
     * The error's code, as in docs/errors.md.
     */
    code: string;
    /**
     * What happened and what to do; its words may change.
     */
    message: string;
    /**
     * The id of the resource that the error is about.
     */
    resource?: string;
    /**
     * What else is known.
     */
    context: {
      [k: string]: unknown;
    };
  } | null;
  /**
   * What remains to be done outside, when it is stuck.
   */
  reason: string | null;
  /**
   * When it began (RFC 3339).
   */
  createdAt: string;
  /**
   * When the journal last heard of it (RFC 3339).
   */
  updatedAt: string;
}
