import type { GuestDisk, Surroundings } from '@vbs/conformance';
import type { Sandbox } from '@vbs/plugin-sandbox';

/** Looks into the VMs of a sandbox whose node is the first part of the instance's name. */
export function guestOf(sandbox: Sandbox) {
  return ({ instance }: Surroundings, vmId: string, slot: string): GuestDisk =>
    sandbox.vm(instance.split('/', 1)[0] ?? instance, vmId).disk(slot);
}
