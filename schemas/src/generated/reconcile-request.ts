// Generated from schemas/reconcile-request.schema.json by npm run generate: change that, not this.

/**
 * What reconcile does beside comparing the metadata with the outside; nothing unless told.
 */
export interface ReconcileRequest {
  /**
   * Removes exports and connections that no attachment has, and makes missing exports again; never a volume or snapshot.
   */
  repair?: boolean;
  /**
   * Takes a store that is older than its pools for the right one.
   */
  accept?: boolean;
  /**
   * The id of a volume or snapshot that lies in a pool: takes it into the metadata.
   */
  adopt?: string;
  /**
   * The id of a volume or snapshot that lies in a pool, unknown to the metadata: deletes it and its data.
   */
  delete?: string;
}
