// Generated from schemas/create-volume-request.schema.json by npm run generate: change that, not this.
import type { Size } from './size.js';

/**
 * What create-volume takes.
 */
export interface CreateVolumeRequest {
  size?: Size;
  /**
   * Kept with the volume; never part of a name.
   */
  comment?: string;
  /**
   * The snapshot that it gets its content from; it reads zeros without one.
   */
  snapshotId?: string;
  /**
   * Where it shall lie, as in vs1/fast; the default backend unless told.
   */
  backend?: string;
}
