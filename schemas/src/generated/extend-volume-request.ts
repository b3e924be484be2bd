// Generated from schemas/extend-volume-request.schema.json by npm run generate: change that, not this.
import type { Size } from './size.js';

/**
 * What extend-volume takes beside the volume.
 */
export interface ExtendVolumeRequest {
  size: Size;
}
