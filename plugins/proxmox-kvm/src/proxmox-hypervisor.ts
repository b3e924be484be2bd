import {
  type AttachDeviceRequest,
  type AttachedDevice,
  type Call,
  type DetachResult,
  type DeviceRequest,
  type Hypervisor,
  type Lifecycle,
  OneAtATime,
  type VmIdentity,
} from '@vbs/core';
import { Acts } from './acts.js';
import { attachDevice } from './attach-device.js';
import { detachDevice } from './detach-device.js';
import { formatDrive } from './drive.js';
import type { Driver } from './driver.js';
import { noSuchVm } from './refusals.js';
import { type Wanted, wantedDiskOf, wantedOf } from './requests.js';
import { isPluggable, parseSlot } from './slot.js';
import { attachedDevices } from './vm.js';
import { type Identity, isMeant, keyOf, requireKey, vmidOf } from './vm-key.js';

type Contract = Hypervisor<'hotplug' | 'read-only'> & Lifecycle<'hotplug' | 'read-only'>;

export interface ProxmoxSettings {
  readonly cache: string;
  readonly iothread: boolean;
  readonly identity: Identity;
  /** Whether disks come and go while a VM runs. */
  readonly hotplug: boolean;
}

/** Puts block devices of a Proxmox VE node into its VMs, by qm or by the REST API. */
export class ProxmoxHypervisor implements Contract {
  readonly capabilities: ReadonlySet<'hotplug' | 'read-only'>;
  readonly #turns = new OneAtATime();

  constructor(
    private readonly driver: Driver,
    private readonly settings: ProxmoxSettings,
  ) {
    this.capabilities = new Set(settings.hotplug ? ['hotplug', 'read-only'] : ['read-only']);
  }

  /**
   * A VM by its number, or by its key `<number>/<SMBIOS UUID>`.
   * @throws NOT_FOUND: also where the number is another VM's by now. FAILED_PRECONDITION: the VM has no UUID.
   */
  async identifyVm(call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    const vmid = vmidOf(vmId);
    const vm = vmid === undefined ? undefined : await this.driver.find(call, vmid);
    if (vm === undefined) throw noSuchVm(vmId);
    const key = requireKey(vm, this.settings.identity);
    if (vmId !== vm.vmid && !isMeant(vm, vmId, this.settings.identity)) throw noSuchVm(vmId);
    return { key, running: await this.driver.isRunning(call, vm.vmid) };
  }

  async canonicalSlot(_call: Call, { device }: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }> {
    return { slot: parseSlot(device) };
  }

  async attachDevice(call: Call, request: AttachDeviceRequest): Promise<void> {
    const wanted = wantedDiskOf(request);
    const { cache, iothread } = this.settings;
    const drive = formatDrive({ ...wanted, cache, iothread: iothread && isPluggable(wanted.slot) });
    await this.#alone(call, wanted, (acts) => attachDevice(acts, wanted, drive));
  }

  async detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    return { result: await this.#alone(call, wantedOf(request), detachDevice) };
  }

  async listDevices(call: Call): Promise<readonly AttachedDevice[]> {
    const vms = await this.driver.look(call);
    return vms.flatMap((vm) => attachedDevices(keyOf(vm, this.settings.identity), vm));
  }

  async check(call: Call): Promise<readonly string[]> {
    return await this.driver.check(call);
  }

  async close(): Promise<void> {
    await this.driver.close();
  }

  /** One change of a VM at a time: Proxmox VE locks a VM's configuration as a whole, and waits 10 s for it. */
  #alone<T>(call: Call, wanted: Wanted, act: (acts: Acts) => Promise<T>): Promise<T> {
    return this.#turns.run(vmidOf(wanted.vm) ?? '', () => act(new Acts(call, this.driver, this.settings, wanted)));
  }
}
