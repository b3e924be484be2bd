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
  toVbsError,
  VbsError,
  type VmIdentity,
} from '@vbs/core';
import { Tools } from '../rules/tools.js';
import { attachDevice } from './attach-device.js';
import type { CommandHypervisorConfig } from './config.js';
import { detachDevice } from './detach-device.js';
import { attachedDevices, look, lookAtVms, type Parts } from './look.js';
import { noSuchVm, type Wanted, wantedOf } from './requests.js';
import { hypervisorRules } from './rules.js';
import { Slots } from './slots.js';

type Capability = 'hotplug' | 'read-only';
type Contract = Hypervisor<Capability> & Lifecycle<Capability>;

/** Puts block devices of a node into its VMs by command patterns, and looks by rules for what commands print. */
export class CommandHypervisor implements Contract {
  readonly capabilities: ReadonlySet<Capability>;
  readonly #parts: Parts;
  readonly #turns = new OneAtATime();

  /** @throws CONFIG_INVALID: `context.faults` lists what the configuration lacks. */
  constructor({ name, machine, config }: Instance<CommandHypervisorConfig>) {
    const rules = hypervisorRules(name, config);
    const { identify, list, attach, detach, errors, slots, slotHelp, capabilities } = rules;
    const tools = new Tools(machine, { identify: identify.run, list: list.run, attach, detach }, errors);
    this.#parts = { tools, rules, slots: new Slots(slots, slotHelp) };
    this.capabilities = capabilities;
  }

  /** A VM by its name or alias. @throws NOT_FOUND. FAILED_PRECONDITION: one VM's name is another's alias. */
  async identifyVm(call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    const vms = await lookAtVms(call, this.#parts);
    const [found, other] = vms.filter(({ vm, alias }) => vm === vmId || alias === vmId);
    if (found === undefined) throw noSuchVm(vmId);
    if (other !== undefined) {
      throw new VbsError('FAILED_PRECONDITION', `${vmId} means ${found.vm} and ${other.vm}: give the name of one of them.`, {
        resource: vmId,
        context: { vms: [found.vm, other.vm] },
      });
    }
    return { key: found.vm, running: found.running };
  }

  async canonicalSlot(_call: Call, { device }: { readonly vm: string; readonly device: string }): Promise<{ readonly slot: string }> {
    return { slot: this.#parts.slots.canonical(device) };
  }

  async attachDevice(call: Call, request: AttachDeviceRequest): Promise<void> {
    const { access, sizeBytes, serial } = request;
    if (access === 'read-only' && !this.capabilities.has('read-only')) {
      throw new VbsError('UNSUPPORTED', 'The configured patterns make no disk read-only: attach has neither <mode> nor <access>.', {
        context: { capability: 'read-only' },
      });
    }
    const wanted = { ...wantedOf(this.#parts.slots, request), access, sizeBytes, serial };
    await this.#alone(wanted, () => attachDevice(call, this.#parts, wanted));
  }

  async detachDevice(call: Call, request: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    const wanted = wantedOf(this.#parts.slots, request);
    return { result: await this.#alone(wanted, () => detachDevice(call, this.#parts, wanted)) };
  }

  async listDevices(call: Call): Promise<readonly AttachedDevice[]> {
    return attachedDevices(await look(call, this.#parts));
  }

  async check(call: Call): Promise<readonly string[]> {
    return await look(call, this.#parts).then(
      () => [],
      (error: unknown) => [toVbsError(error).message],
    );
  }

  /** One change of a slot at a time. */
  #alone<T>({ vm, slot }: Wanted, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(`${slot} ${vm}`, act);
  }
}
