import type { Plugin } from '@vbs/core';
import type { Tools } from '../../stand-ins/frame/tool.js';

/** A disk as the programs of a guest see it. */
export interface GuestDisk {
  readonly sizeBytes: number;
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** The VMs of a node, and the hypervisor that has them. */
export interface NodeVms {
  /** All of the node: the hypervisor's beside those that it was given. */
  readonly tools: Tools;
  readonly plugin: Plugin;
  /** What the configuration says of the hypervisor. */
  readonly configuration: object;
  /** Two VMs that run. */
  readonly ids: readonly [string, string];
  /** The n-th slot of a VM, from 0, by its canonical name. */
  slot(nth: number): string;
  /** @throws where the guest has no such disk. */
  disk(vm: string, slot: string): GuestDisk;
  /** What the hypervisor has of disks beyond those that its VMs were made with, in words. */
  left(): readonly string[];
  /** The node's devices that VMs have open, by the paths with which they were attached. */
  held(): readonly string[];
  /** Somebody else's disk comes into a slot; answers how it goes again. */
  occupy(vm: string, slot: string): () => void;
}

/** Makes the VMs of a node whose files lie under `root`, and that has these tools already. */
export type MakeVms = (root: string, tools: Tools) => NodeVms;

/** xvdb … xvdz, xvdbb … */
export function xvdSlot(nth: number): string {
  const letter = (at: number): string => String.fromCharCode(98 + at);
  return `xvd${nth < 25 ? letter(nth) : `${letter(Math.floor(nth / 25) - 1)}${letter(nth % 25)}`}`;
}
