// Generated from schemas/create-snapshot-request.schema.json by npm run generate: change that, not this.

/**
 * What create-snapshot takes.
 */
export interface CreateSnapshotRequest {
  /**
   * The volume.
   */
  volumeId: string;
  /**
   * Kept with the snapshot; never part of a name.
   */
  comment?: string;
}
