import {
  type AttachDeviceRequest,
  type AttachedDevice,
  type Call,
  type DetachResult,
  type DeviceRequest,
  type Hypervisor,
  type Instance,
  type Lifecycle,
  OneAtATime,
  type Protocol,
  toVbsError,
  unlessCode,
  VbsError,
  type VmIdentity,
} from '@vbs/core';
import { attachDevice } from './attach-device.js';
import { attachedDevices } from './attached-devices.js';
import { type LibvirtConfig, libvirtDefaults } from './config.js';
import { detachDevice } from './detach-device.js';
import { extendDevice } from './extend-device.js';
import { lookAtAll, lookAtOne } from './look.js';
import { derivedInitiatorName } from './names.js';
import { parseDomain, parseXml } from './parse-domain.js';
import { noSuchVm } from './refusals.js';
import { type Wanted, wantedDisk, wantedOf } from './requests.js';
import { illegalDevice, parseSlot } from './slot.js';
import { type Commands, Tools } from './tools.js';

export const libvirtCapabilities = ['hotplug', 'read-only', 'extend', 'identity'] as const;
type Capability = (typeof libvirtCapabilities)[number];

/** Puts block devices, NBD exports and iSCSI LUNs into the guests of one libvirt, by virsh. */
export class LibvirtHypervisor implements Hypervisor<Capability>, Lifecycle<Capability> {
  readonly #tools: Tools;
  readonly #turns = new OneAtATime();

  constructor({ machine, config, commands, store, name }: Instance<LibvirtConfig, 'any', Commands>) {
    const initiatorName = config.initiatorName ?? derivedInitiatorName(store.id, name);
    this.#tools = new Tools(machine, { ...libvirtDefaults, ...config, initiatorName }, commands);
  }

  /** A VM by its name, UUID or id; its key is its UUID, which no other VM gets. An id is looked for before a name of digits. */
  async identifyVm(call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    const dump = await unlessCode('NOT_FOUND', this.#tools.read(call, 'dumpVm', { vmId }));
    const domain = dump === undefined ? undefined : parseDomain(parseXml(dump.stdout));
    if (domain === undefined) throw noSuchVm(vmId);
    return { key: domain.uuid, running: domain.id !== undefined };
  }

  async canonicalSlot(call: Call, { vm, device }: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }> {
    const slot = parseSlot(device);
    if (slot.bus === 'scsi') {
      const found = await lookAtOne(call, this.#tools, vm);
      if (found === undefined) throw noSuchVm(vm);
      if (!found.hasScsi) throw illegalDevice(`${slot.name} is a SCSI slot, and the VM has no SCSI controller: give a vdX slot.`);
    }
    return { slot: slot.name };
  }

  async attachDevice(call: Call, request: AttachDeviceRequest): Promise<void> {
    const wanted = wantedDisk(request);
    await this.#alone(call, wanted, () => attachDevice(call, this.#tools, wanted));
  }

  async detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    const wanted = wantedOf(request);
    return { result: await this.#alone(call, wanted, () => detachDevice(call, this.#tools, wanted)) };
  }

  async listDevices(call: Call): Promise<readonly AttachedDevice[]> {
    return attachedDevices(await lookAtAll(call, this.#tools));
  }

  /** The same name for each protocol; an NBD server is told none. */
  async getIdentity(_call: Call, _request: { readonly protocol: Protocol }): Promise<{ readonly initiators: readonly string[] }> {
    return { initiators: [this.#tools.settings.initiatorName] };
  }

  async extendDevice(call: Call, request: DeviceRequest & { readonly sizeBytes: number }): Promise<{ readonly sizeBytes: number }> {
    const { sizeBytes } = request;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 1 || sizeBytes % 512 !== 0) {
      throw new VbsError('OUT_OF_RANGE', `sizeBytes is ${sizeBytes}: give a positive multiple of 512.`, {
        context: { field: 'sizeBytes' },
      });
    }
    const wanted = wantedOf(request);
    return { sizeBytes: await this.#alone(call, wanted, () => extendDevice(call, this.#tools, wanted, sizeBytes)) };
  }

  async check(call: Call): Promise<readonly string[]> {
    try {
      await lookAtAll(call, this.#tools);
      return [];
    } catch (error) {
      return [toVbsError(error).message];
    }
  }

  /** One change of a VM's disks at a time: libvirt would do them one after the other too. */
  #alone<T>(call: Call, { vm }: Wanted, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(vm, () => this.#tools.honestly(call, act));
  }
}
