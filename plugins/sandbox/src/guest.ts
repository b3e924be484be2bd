import type { SandboxDisk } from './disk.js';
import { parseSlot } from './slot.js';
import type { VirtualMachine } from './virtual-machine.js';

/** A disk as the programs of a guest see it. Every request fails with UNAVAILABLE when the export has gone, with NOT_FOUND when the disk was taken out. */
export interface GuestDisk {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** @throws OUT_OF_RANGE: beyond the disk. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Waits while the VM is frozen. @throws PERMISSION_DENIED: the disk is read-only. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Ends when what was written is durable. Waits while the VM is frozen. */
  flush(): Promise<void>;
}

/** A VM of the sandbox from within, and its switch: for tests, demos and who wants to try VBS without a hypervisor. */
export interface SandboxVm {
  readonly running: boolean;
  /** The slots that hold a disk, in order. */
  devices(): string[];
  /** @throws NOT_FOUND: no disk has this device name. */
  disk(device: string): GuestDisk;
  /** The guest is busy with a disk: a detach is answered `requested`, or `refused` where the hypervisor withdraws. */
  hold(device: string): Promise<void>;
  /** The guest is done with a disk; if it was asked to let go, the disk is out when this ends. */
  letGo(device: string): Promise<void>;
  /** Shuts down: disks are flushed, and stay in their slots. */
  stop(): Promise<void>;
  /** Starts, and connects the disks. @throws UNAVAILABLE: an export is not there; the VM stays stopped. */
  start(): Promise<void>;
}

export function guestOf(vm: VirtualMachine): SandboxVm {
  const slot = (device: string) => parseSlot(device, vm.slots);
  return {
    get running() {
      return vm.running;
    },
    devices: () => [...vm.disks.keys()].sort(),
    disk: (device) => guestDisk(vm, vm.disk(slot(device))),
    hold: async (device) => vm.hold(slot(device)),
    letGo: async (device) => vm.letGo(slot(device)),
    stop: () => vm.stop(),
    start: () => vm.start(),
  };
}

function guestDisk(vm: VirtualMachine, disk: SandboxDisk): GuestDisk {
  return {
    get sizeBytes() {
      return disk.sizeBytes;
    },
    readOnly: disk.spec.access === 'read-only',
    read: (offset, length) => disk.read(offset, length),
    write: (offset, bytes) => vm.writes.pass(() => disk.write(offset, bytes)),
    flush: () => vm.writes.pass(() => disk.flush()),
  };
}
