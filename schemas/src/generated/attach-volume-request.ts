// Generated from schemas/attach-volume-request.schema.json by npm run generate: change that, not this.

/**
 * What attach-volume takes beside the volume: a VMM host with a VM id, or a cloud's instance id in their place.
 */
export interface AttachVolumeRequest {
  /**
   * The VMM node, by its name or one of its host names.
   */
  vmmHost?: string;
  /**
   * The virtual machine, as the node's hypervisor names it.
   */
  vmId?: string;
  /**
   * A cloud's instance, which a resolver finds on a VMM node.
   */
  instanceId?: string;
  /**
   * Where the disk shall appear in the virtual machine, such as /dev/xvdb.
   */
  device: string;
  /**
   * Whether the virtual machine may write; read-write unless told.
   */
  access?: 'read-write' | 'read-only';
}
