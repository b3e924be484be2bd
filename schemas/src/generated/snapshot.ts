// Generated from schemas/snapshot.schema.json by npm run generate: change that, not this.

/**
 * The content of a volume at one instant.
 */
export interface Snapshot {
  /**
   * snap- and 17 hex digits.
   */
  id: string;
  /**
   * What the snapshot is doing; volumes are made from completed ones.
   */
  state: 'pending' | 'completed' | 'deleting' | 'error';
  /**
   * Why it is in this state, where that needs saying.
   */
  reason: string | null;
  /**
   * The volume that it was taken of.
   */
  volumeId: string;
  /**
   * The size of the volume at that instant, in bytes.
   */
  sizeBytes: number;
  /**
   * What the caller wrote when it was made.
   */
  comment: string | null;
  /**
   * Where it lies: the volume server's and the backend's name, as in vs1/fast.
   */
  backend: string;
  /**
   * When it was asked for (RFC 3339).
   */
  createdAt: string;
}
