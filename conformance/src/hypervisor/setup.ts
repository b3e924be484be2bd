import type { Access, ConfigOf, DeviceSource } from '@vbs/core';
import type { Bytes } from '../kit/bytes.js';
import type { CommonSetup, Providing, Surroundings } from '../kit/setup.js';

/** What a hypervisor attaches, and the bytes behind it, past the hypervisor. */
export interface AttachableSource extends Bytes {
  readonly source: DeviceSource;
  /** 20 characters, as a volume's. */
  readonly serial: string;
  /** Makes volume and export larger; what is added reads zeros. */
  grow(sizeBytes: number): Promise<void>;
  /** Removes export and volume. */
  remove(): Promise<void>;
}

/** A disk as the programs of a guest see it. */
export interface GuestDisk extends Bytes {
  readonly sizeBytes: number;
  flush(): Promise<void>;
}

export type HoldDevice = (surroundings: Surroundings, vmId: string, slot: string) => Promise<() => Promise<void>>;

export interface HypervisorSetup<P extends Providing<'hypervisor'>> extends CommonSetup<ConfigOf<P['hypervisor']>> {
  /** The ids of two VMs that the configuration leads to, without disks of VBS: running where the hypervisor declares `hotplug`, else stopped. */
  readonly vms: readonly [string, string];
  /** Names of two free slots, legal in both VMs. */
  readonly devices: readonly [string, string];
  /** Other names of the first slot (`/dev/xvdb`, `51728`). */
  readonly aliases: readonly string[];
  /** Names that are no slot, beside those that the kit tries by itself. */
  readonly illegalDevices: readonly string[];
  /** A volume that reads zeros, exported, as this hypervisor is given it. */
  readonly makeSource: (
    surroundings: Surroundings,
    options: { readonly sizeBytes: number; readonly access: Access },
  ) => Promise<AttachableSource>;
  /** The disk that a VM's programs see in a slot; rejects when there is none. A stopped VM may be started for it. */
  readonly guest: (surroundings: Surroundings, vmId: string, slot: string) => GuestDisk | Promise<GuestDisk>;
  /** Makes the guest busy with a disk, so that it does not let go when it is asked; answers how it is done with it. null where nobody can. */
  readonly holdDevice: HoldDevice | null;
  /** Of the disks, in bytes; 1 MiB unless told. */
  readonly sizeBytes?: number;
}
