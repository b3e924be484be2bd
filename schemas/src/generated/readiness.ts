// Generated from schemas/readiness.schema.json by npm run generate: change that, not this.
import type { InstanceCheck } from './instance-check.js';

/**
 * Whether the server can do its work, and if not, what is not well.
 */
export interface Readiness {
  /**
   * Whether every instance is well.
   */
  ready: boolean;
  /**
   * Every instance of a plugin.
   */
  instances: InstanceCheck[];
}
