import type { Call } from './call.js';
import type { WithCapabilities } from './capabilities.js';
import type { Access, DeviceSource, Protocol } from './connection.js';

/** A virtual machine by a key that no other VM of the node gets later: a UUID or a name, never a domid (safety E3). */
export interface VmIdentity {
  readonly key: string;
  readonly running: boolean;
}

/**
 * One disk in one slot of one VM. Every field is checked against what is there before anything is changed. What a call changes is
 * guarded by the attachment's id.
 */
export interface DeviceRequest {
  readonly attachmentId: string;
  /** `VmIdentity.key`. */
  readonly vm: string;
  /** As `canonicalSlot` answered. */
  readonly slot: string;
  readonly source: DeviceSource;
}

export interface AttachDeviceRequest extends DeviceRequest {
  readonly access: Access;
  readonly sizeBytes: number;
  readonly serial: string;
}

/** A disk as the hypervisor has it. `source` is what can be told; a hypervisor that lists no source leaves it out. */
export interface AttachedDevice {
  readonly vm: string;
  readonly slot: string;
  readonly source?: DeviceSource;
  readonly access: Access;
  /**
   * `changing`: on its way in or out, or with nothing behind it; neither there nor gone. A disk whose guest was asked and has not let go
   * is `attached`.
   */
  readonly state: 'attached' | 'changing';
}

/**
 * How a detach ended (safety A5). `detached`: the disk is out. `requested`: the guest was asked and has not let go; it may do
 * so at any time. `refused`: the guest has not let go and the request was taken back; the disk stays.
 */
export type DetachResult = 'detached' | 'requested' | 'refused';

/** The methods that every hypervisor has. */
export interface HypervisorBase {
  /** @throws NOT_FOUND: the node has no such VM. */
  identifyVm(call: Call, request: { readonly vmId: string }): Promise<VmIdentity>;
  /**
   * The one name of a slot: xvdb, /dev/xvdb and 51728 are one.
   * @throws INVALID_ARGUMENT: `context.field` is `device`, and the message tells the legal names.
   */
  canonicalSlot(call: Call, request: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }>;
  /**
   * Puts a disk into a VM, and answers when the VM has it. The same source in the same slot is success.
   * @throws NOT_FOUND: no such VM. FAILED_PRECONDITION: the slot holds another source (`context.slot`), or the VM cannot take a disk now.
   * @throws UNSUPPORTED: `access` is read-only and `read-only` is not declared.
   */
  attachDevice(call: Call, request: AttachDeviceRequest): Promise<void>;
  /**
   * Takes a disk out, only if the slot holds this source. An absent device is `detached`; an absent VM only when no VM of the
   * node has the source. Asked again after `requested`, it looks first and asks again only if it must.
   * @throws FAILED_PRECONDITION: the slot holds another source.
   */
  detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }>;
  /** Every disk of every VM of this node (those that VBS did not attach too), in one look. */
  listDevices(call: Call): Promise<readonly AttachedDevice[]>;
}

/** Capability → the methods that it obliges a hypervisor to have. */
export interface HypervisorCapabilities {
  /** Disks come and go while the VM runs; without it only while it is stopped. */
  hotplug: object;
  /** Guests may be given disks that they cannot write. */
  'read-only': object;
  freeze: {
    /**
     * Flushes, and holds the guest's writes back from its answer on until `thawVm` or, at the latest, for `limitMs` milliseconds. Of a
     * VM that is frozen already the limit counts anew.
     * @throws OUT_OF_RANGE: `limitMs` is no whole number of at least 1, or longer than this hypervisor can hold (`context.field`).
     */
    freezeVm(call: Call, request: { readonly vm: string; readonly limitMs: number }): Promise<void>;
    thawVm(call: Call, request: { readonly vm: string }): Promise<void>;
  };
  /** It opens protocols itself, and has a name under which it does. */
  identity: {
    /** The names under which this node's VMs connect by a protocol, for an exporter's access list. */
    getIdentity(call: Call, request: { readonly protocol: Protocol }): Promise<{ readonly initiators: readonly string[] }>;
  };
  extend: {
    /** Shows the guest a disk's new size. Answers the size in bytes that the guest sees. */
    extendDevice(call: Call, request: DeviceRequest & { readonly sizeBytes: number }): Promise<{ readonly sizeBytes: number }>;
  };
}
export type HypervisorCapability = keyof HypervisorCapabilities & string;

/** A device or a connection becomes a disk inside a VM. */
export type Hypervisor<C extends HypervisorCapability = never> = WithCapabilities<HypervisorBase, HypervisorCapabilities, C>;
