// Generated from schemas/instance-check.schema.json by npm run generate: change that, not this.

/**
 * Whether an instance of a plugin has all that it needs.
 */
export interface InstanceCheck {
  /**
   * Its path of names in the configuration, as in vs1/fast.
   */
  instance: string;
  /**
   * Whether it is well.
   */
  ok: boolean;
  /**
   * What it misses and what to do, a sentence each.
   */
  faults: string[];
}
