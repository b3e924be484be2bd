// Generated from schemas/reconcile-report.schema.json by npm run generate: change that, not this.

/**
 * Where the metadata and the outside do not agree.
 */
export interface ReconcileReport {
  /**
   * What one has and the other has not.
   *
   * Items: A difference.
   */
  differences: {
    /**
     * What it is.
     */
    kind: 'volume' | 'snapshot' | 'export' | 'connection' | 'device';
    /**
     * Its id, or the outside's name for it.
     */
    id: string;
    /**
     * An orphan is there and the metadata does not know it; the metadata knows what is missing.
     */
    what: 'orphan' | 'missing';
    /**
     * The backend, exporter, initiator or hypervisor.
     */
    instance: string;
    /**
     * What was done about it, or is to be done.
     */
    action: string;
  }[];
  /**
   * Instances that could not be looked at: nothing is said about what they have.
   *
   * Items: An instance, and why.
   */
  unseen: {
    /**
     * The instance.
     */
    instance: string;
    /**
     * Why it could not be looked at.
     */
    reason: string;
  }[];
}
