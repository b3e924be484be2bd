// Generated from schemas/attachment.schema.json by npm run generate: change that, not this.

/**
 * A volume as a disk of a virtual machine.
 */
export interface Attachment {
  /**
   * att- and 17 hex digits.
   */
  id: string;
  /**
   * The volume.
   */
  volumeId: string;
  /**
   * What the attachment is doing.
   */
  state: 'attaching' | 'attached' | 'detaching' | 'detached';
  /**
   * Why it is in this state, where that needs saying: guest-busy.
   */
  reason: string | null;
  /**
   * The VMM node that runs the virtual machine.
   */
  vmmHost: string;
  /**
   * The virtual machine, as the caller or the cloud named it.
   */
  vmId: string;
  /**
   * Where the disk appears in the virtual machine, as the caller named it.
   */
  device: string;
  /**
   * The hypervisor's one name of that place.
   */
  slot: string;
  /**
   * Whether the virtual machine may write.
   */
  access: 'read-write' | 'read-only';
  /**
   * The cloud's instance, when the caller named one.
   */
  instanceId: string | null;
  /**
   * The export that serves the volume to the node; null before there is one.
   */
  exportId: string | null;
  /**
   * What an initiator needs to reach the export, with its protocol and without secrets; null before there is one.
   */
  connection: {
    /**
     * iscsi, aoe, nbd, or a plugin's own.
     */
    protocol: string;
    [k: string]: unknown;
  } | null;
  /**
   * The block device on the VMM node; null when the hypervisor opens the connection itself.
   */
  devicePath: string | null;
  /**
   * When it was asked for (RFC 3339).
   */
  createdAt: string;
}
