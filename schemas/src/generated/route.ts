// Generated from schemas/route.schema.json by npm run generate: change that, not this.

/**
 * The way of a backend's volumes to a VMM node, or why there is none.
 */
export interface Route {
  /**
   * The backend, as in vs1/fast.
   */
  backend: string;
  /**
   * The VMM node.
   */
  vmmHost: string;
  /**
   * The exporter that is taken; null when there is no route.
   */
  exporter: string | null;
  /**
   * The initiator of the node; null when its hypervisor opens the protocol itself, or there is no route.
   */
  initiator: string | null;
  /**
   * Why there is no route; null when there is one.
   */
  reason: string | null;
}
