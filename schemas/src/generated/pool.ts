// Generated from schemas/pool.schema.json by npm run generate: change that, not this.

/**
 * A backend's pool of storage, as it answers now.
 */
export interface Pool {
  /**
   * The volume server's and the backend's name, as in vs1/fast.
   */
  backend: string;
  /**
   * Whether a new volume goes there when nobody says another.
   */
  isDefault: boolean;
  /**
   * What it can do beside the basics, as in snapshot or extend.
   */
  capabilities: string[];
  /**
   * Its sizes; null when it does not answer.
   */
  capacity: {
    /**
     * What it can hold, in bytes.
     */
    totalBytes: number;
    /**
     * What is free, in bytes.
     */
    availableBytes: number;
    /**
     * The sizes of its volumes together, in bytes, however much of them is used.
     */
    provisionedBytes: number;
  } | null;
  /**
   * Why it does not answer; null when it does.
   */
  fault: string | null;
}
