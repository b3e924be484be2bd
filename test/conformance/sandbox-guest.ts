import type { GuestDisk, HoldDevice, Surroundings } from '@vbs/conformance';
import type { Sandbox, SandboxVm } from '@vbs/plugin-sandbox';

/** The VMs of a sandbox whose node is the first part of the instance's name, from within. */
export function guestsOf(sandbox: Sandbox) {
  const vm = ({ instance }: Surroundings, vmId: string): SandboxVm => sandbox.vm(instance.split('/', 1)[0] ?? instance, vmId);
  const guest = (surroundings: Surroundings, vmId: string, slot: string): GuestDisk => vm(surroundings, vmId).disk(slot);
  const holdDevice: HoldDevice = async (surroundings, vmId, slot) => {
    const there = vm(surroundings, vmId);
    await there.hold(slot);
    return () => there.letGo(slot);
  };
  return { guest, holdDevice };
}
