import type { Plugin } from '@vbs/core';
import { register } from '../kit/register.js';
import type { Providing } from '../kit/setup.js';
import type { Test } from '../kit/test.js';
import { attachDeviceProofs, hypervisorRefusals } from './attach-device.js';
import { busyGuestProofs } from './busy-guest.js';
import { detachDeviceProofs } from './detach-device.js';
import { freezeVmProofs } from './freeze-vm.js';
import { listAndExtendProofs } from './list-and-extend.js';
import { machineAndSlotProofs } from './machines-and-slots.js';
import type { HypervisorSetup } from './setup.js';
import { HypervisorStage } from './stage.js';

export type { AttachableSource, GuestDisk, HoldDevice, HypervisorSetup } from './setup.js';

/** Proves that a plugin keeps the Hypervisor contract: the right device in the right VM, seen from within the guest. */
export function hypervisorConformance<P extends Providing<'hypervisor'>>(
  test: Test,
  plugin: Plugin<string, P>,
  setup: NoInfer<HypervisorSetup<P>>,
): void {
  register({
    test,
    kind: 'hypervisor',
    plugin,
    setup,
    proofs: [
      ...machineAndSlotProofs,
      ...attachDeviceProofs,
      ...detachDeviceProofs,
      ...busyGuestProofs(setup.holdDevice),
      ...listAndExtendProofs,
      ...freezeVmProofs,
    ],
    stage: (scene) => new HypervisorStage(scene, setup),
    refusals: hypervisorRefusals,
  });
}
