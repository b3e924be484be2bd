// Generated from schemas/event.schema.json by npm run generate: change that, not this.

/**
 * A change of a resource.
 */
export interface Event {
  /**
   * Grows with each event of the store.
   */
  sequence: number;
  /**
   * When it happened (RFC 3339).
   */
  at: string;
  /**
   * What happened, as in volume.available. More types may come.
   */
  type: string;
  /**
   * What it happened to.
   */
  resourceId: string | null;
  /**
   * The operation that did it.
   */
  operationId: string | null;
  /**
   * What else is known, by type.
   */
  data: {
    [k: string]: unknown;
  };
}
