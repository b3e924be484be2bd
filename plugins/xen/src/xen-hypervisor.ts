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
  VbsError,
  type VmIdentity,
} from '@vbs/core';
import { attachDevice } from './attach-device.js';
import { checkNode } from './check.js';
import { type XenConfig, xenDefaults } from './config.js';
import { detachDevice } from './detach-device.js';
import { attachedDevices, look } from './look.js';
import { parseDomains } from './parse-domains.js';
import { noSuchVm } from './refusals.js';
import { requireName, type Wanted, wantedOf } from './requests.js';
import { type Commands, Tools } from './tools.js';
import { parseVdev } from './vdev.js';

type Contract = Hypervisor<'hotplug' | 'read-only'> & Lifecycle<'hotplug' | 'read-only'>;

/** Puts block devices of Dom0 into Xen's VMs by xl or xm, and reads what is attached in xenstore. */
export class XenHypervisor implements Contract {
  readonly #tools: Tools;
  readonly #turns = new OneAtATime();

  constructor({ machine, config, commands }: Instance<XenConfig, 'any', Commands>) {
    this.#tools = new Tools(machine, { ...xenDefaults, ...config }, commands);
  }

  /**
   * A VM by its name or domain id; its key is its name, which stays when it reboots or moves.
   * @throws NOT_FOUND. FAILED_PRECONDITION: its name is one that xl takes for an id or an option, or another VM has it too.
   */
  async identifyVm(call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    const domains = parseDomains(await this.#tools.read(call, 'listVms'));
    const found = /^\d+$/.test(vmId) ? domains.filter(({ domid }) => String(domid) === vmId) : domains.filter(({ name }) => name === vmId);
    const [domain, other] = found;
    if (domain === undefined) throw noSuchVm(vmId);
    if (domain.domid === 0) {
      throw new VbsError('NOT_FOUND', `${vmId} is Dom0, the node itself, and no VM of it.`, { resource: vmId });
    }
    const sameName = domains.filter(({ name }) => name === domain.name);
    if (other !== undefined || sameName.length > 1) {
      throw new VbsError('FAILED_PRECONDITION', `${sameName.length} domains are called ${domain.name}: rename or end one of them.`, {
        resource: vmId,
        context: { vm: domain.name },
      });
    }
    this.#requireUsableName(vmId, domain.name);
    return { key: domain.name, running: domain.running };
  }

  async canonicalSlot(_call: Call, { device }: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }> {
    return { slot: parseVdev(device).name };
  }

  async attachDevice(call: Call, request: AttachDeviceRequest): Promise<void> {
    const { access, sizeBytes } = request;
    const wanted = { ...wantedOf(request), access, sizeBytes };
    await this.#alone(call, wanted, () => attachDevice(call, this.#tools, wanted));
  }

  async detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    const wanted = wantedOf(request);
    return { result: await this.#alone(call, wanted, () => detachDevice(call, this.#tools, wanted)) };
  }

  async listDevices(call: Call): Promise<readonly AttachedDevice[]> {
    return attachedDevices(await look(call, this.#tools));
  }

  async check(call: Call): Promise<readonly string[]> {
    return await checkNode(call, this.#tools);
  }

  /** One change of a disk of a VM at a time, by whatever name of it. */
  #alone<T>(call: Call, { vm, vdev }: Wanted, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(`${vdev.disk} ${vm}`, () => this.#tools.honestly(call, act));
  }

  #requireUsableName(vmId: string, name: string): void {
    try {
      requireName(name, 'vmId');
    } catch (cause) {
      const advice = 'xl and xm take it for an id, for an option, or not at all; rename the VM';
      throw new VbsError('FAILED_PRECONDITION', `The VM is called ${JSON.stringify(name.slice(0, 80))}: ${advice}.`, {
        resource: vmId,
        context: { vm: name },
        cause,
      });
    }
  }
}
