// Generated from schemas/detach-volume-request.schema.json by npm run generate: change that, not this.

/**
 * What detach-volume takes beside the volume.
 */
export interface DetachVolumeRequest {
  /**
   * Which attachment; needed when the volume has several.
   */
  attachmentId?: string;
  /**
   * Takes the volume away from a node that does not answer: its access is revoked first, which needs the exporter's fence, or nodeIsDead.
   */
  force?: boolean;
  /**
   * With force: the caller has made sure that the node is off, and says so in the journal.
   */
  nodeIsDead?: boolean;
}
