import type { Call, VbsError } from '@vbs/core';
import type { SeenVm, Vm } from './vm.js';

/** One change of one option of a VM that was looked at. */
export interface Change {
  readonly vm: Vm;
  /** A slot, or an unused entry. */
  readonly option: string;
  /** `set`: what it holds from now on. */
  readonly act: { readonly set: string } | 'delete' | 'revert';
  /** The attachment's id. */
  readonly guard: string;
}

/** A way to a node: qm, or the REST API. */
export interface Driver {
  /** Every VM of the node. */
  look(call: Call): Promise<readonly SeenVm[]>;
  /** One VM; undefined where the node does not have it. */
  find(call: Call, vmid: string): Promise<Vm | undefined>;
  isRunning(call: Call, vmid: string): Promise<boolean>;
  /**
   * Changes a VM, only if nobody has changed it since it was looked at. Answers how it failed.
   * @throws what says that it was not begun.
   */
  change(call: Call, change: Change): Promise<VbsError | undefined>;
  check(call: Call): Promise<readonly string[]>;
  close(): Promise<void>;
}
