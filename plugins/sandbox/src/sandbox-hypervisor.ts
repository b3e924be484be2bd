import type { AttachDeviceRequest, AttachedDevice, Call, DetachResult, DeviceRequest, Hypervisor, Instance, VmIdentity } from '@vbs/core';
import { VbsError } from '@vbs/core';
import { type SandboxConfig, withAbsolutePaths } from './config.js';
import { type NbdSource, nbdSource } from './nbd-source.js';
import { parseSlot } from './slot.js';
import { VirtualMachine } from './virtual-machine.js';

type Capability = 'hotplug' | 'read-only' | 'extend' | 'freeze';

/** The hypervisor of VMs that live in this process and reach their disks over NBD. */
export class SandboxHypervisor implements Hypervisor<Capability> {
  /** The VMM node's name, the first part of the instance's. */
  readonly node: string;
  readonly #instance: Instance<SandboxConfig, 'local'>;
  readonly #vms: ReadonlyMap<string, VirtualMachine>;
  readonly #onClose: (closed: SandboxHypervisor) => void;

  constructor(instance: Instance<SandboxConfig, 'local'>, onClose: (closed: SandboxHypervisor) => void) {
    const { name, log } = instance;
    const config = withAbsolutePaths(instance.config, instance.baseDirectory);
    this.node = name.split('/', 1)[0] ?? name;
    this.#instance = instance;
    this.#onClose = onClose;
    this.#vms = new Map(Object.entries(config.vms).map(([vmId, vm]) => [vmId, new VirtualMachine(vmId, vm, config, log)]));
  }

  /** @throws NOT_FOUND */
  vm(vmId: string): VirtualMachine {
    const vm = this.#vms.get(vmId);
    if (vm !== undefined) return vm;
    const known = [...this.#vms.keys()].slice(0, 10).join(', ');
    throw new VbsError('NOT_FOUND', `VMM node ${this.node} has no VM ${JSON.stringify(vmId.slice(0, 80))}; it has ${known || 'none'}.`, {
      resource: vmId,
      context: { field: 'vmId', vmmNode: this.node },
    });
  }

  async identifyVm(_call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    const vm = this.vm(vmId);
    return { key: vm.name, running: vm.running };
  }

  async canonicalSlot(_call: Call, request: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }> {
    return { slot: parseSlot(request.device, this.vm(request.vm).slots) };
  }

  async attachDevice(call: Call, request: AttachDeviceRequest): Promise<void> {
    const source = nbdSource(request.source);
    const vm = this.vm(request.vm);
    parseSlot(request.slot, vm.slots);
    await this.#guarded(call, request, async () => {
      this.#refuseElsewhere(request, source);
      await vm.attach(call.signal, request, source.uri);
    });
  }

  async detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    const source = nbdSource(request.source);
    return this.#guarded(call, request, async () => {
      const vm = this.#vms.get(request.vm);
      if (vm !== undefined) return { result: await vm.detach(call.signal, request.slot, source.uri) };
      this.#refuseElsewhere(request, source);
      return { result: 'detached' };
    });
  }

  async listDevices(): Promise<readonly AttachedDevice[]> {
    return [...this.#vms.values()].flatMap((vm) => vm.list());
  }

  async extendDevice(call: Call, request: DeviceRequest & { readonly sizeBytes: number }): Promise<{ readonly sizeBytes: number }> {
    const source = nbdSource(request.source);
    const vm = this.vm(request.vm);
    return this.#guarded(call, request, async () => ({ sizeBytes: await vm.extend(call.signal, request.slot, source.uri) }));
  }

  async freezeVm(call: Call, request: { readonly vm: string; readonly limitMs: number }): Promise<void> {
    await this.vm(request.vm).freeze(call.signal, request.limitMs);
  }

  async thawVm(call: Call, request: { readonly vm: string }): Promise<void> {
    await this.vm(request.vm).thaw(call.signal);
  }

  /**
   * Shuts every VM down; a disk that cannot be flushed does not keep the others from it.
   *
   * @throws what flushing a disk throws, when all are down.
   */
  async close(): Promise<void> {
    const outcomes = await Promise.allSettled([...this.#vms.values()].map((vm) => vm.stop()));
    this.#onClose(this);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    for (const err of failures) this.#instance.log.error({ err }, 'a disk could not be flushed when its VM was shut down');
    if (failures.length > 0) throw failures[0];
  }

  #guarded<T>(call: Call, { attachmentId }: DeviceRequest, act: () => Promise<T>): Promise<T> {
    return this.#instance.machine.guarded(call, attachmentId, act);
  }

  #refuseElsewhere({ vm, slot }: DeviceRequest, { uri }: NbdSource): void {
    for (const other of this.#vms.values()) {
      const taken = other.slotOf(uri);
      if (taken === undefined || (other.name === vm && taken === slot)) continue;
      throw new VbsError('FAILED_PRECONDITION', `This export is the disk ${taken} of VM ${other.name}; detach it there first.`, {
        context: { slot: taken, vm: other.name },
      });
    }
  }
}
