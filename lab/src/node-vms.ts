import {
  type AttachDeviceRequest,
  type AttachedDevice,
  type Call,
  type CommandRunner,
  type DetachResult,
  type DeviceRequest,
  definePlugin,
  type Hypervisor,
  hypervisor,
  type Instance,
  type Schema,
  VbsError,
  type VmIdentity,
} from '@vbs/core';

/** What stands in for VMs on a VMM node: a folder for each, and in it a link for each disk, to the node's block device. */
export interface NodeVmsConfig {
  readonly directory: string;
}

const configSchema: Schema<NodeVmsConfig> = {
  type: 'object',
  additionalProperties: false,
  required: ['directory'],
  properties: { directory: { type: 'string', pattern: '^/' } },
};

const commands = {
  attach: 'ln -s -n <path> <link>',
  detach: 'rm -f <link>',
  list: 'find <directory> -mindepth 2 -maxdepth 2 -type l -printf %P\\t%l\\n',
} as const;
type Commands = typeof commands;

type Links = ReadonlyMap<string, string>;

class NodeVms implements Hypervisor<'hotplug'> {
  readonly #instance: Instance<NodeVmsConfig, 'any', Commands>;

  constructor(instance: Instance<NodeVmsConfig, 'any', Commands>) {
    this.#instance = instance;
  }

  async identifyVm(call: Call, { vmId }: { readonly vmId: string }): Promise<VmIdentity> {
    if (!(await this.#vms(call)).includes(vmId)) throw new VbsError('NOT_FOUND', `There is no VM ${vmId}.`, { resource: vmId });
    return { key: vmId, running: true };
  }

  async canonicalSlot(_call: Call, { device }: { readonly device: string }): Promise<{ readonly slot: string }> {
    const slot = /^(?:\/dev\/)?(xvd[b-z]{1,2})$/.exec(device)?.[1];
    if (slot !== undefined) return { slot };
    throw new VbsError('INVALID_ARGUMENT', `${device} is no slot: give xvdb to xvdzz.`, { context: { field: 'device' } });
  }

  async attachDevice(call: Call, { attachmentId, vm, slot, source }: AttachDeviceRequest): Promise<void> {
    const path = pathOf(source);
    const links = await this.#links(call);
    const there = links.get(`${vm}/${slot}`);
    if (there === path) return;
    const elsewhere = [...links].find(([, target]) => target === path)?.[0];
    if (there !== undefined || elsewhere !== undefined) {
      const message = elsewhere === undefined ? `${slot} holds another disk.` : `The disk is ${elsewhere} already.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { slot } });
    }
    await this.#run.run(call, 'attach', { path, link: this.#link(vm, slot) }, { guard: attachmentId });
  }

  async detachDevice(call: Call, { attachmentId, vm, slot, source }: DeviceRequest): Promise<{ readonly result: DetachResult }> {
    const there = (await this.#links(call)).get(`${vm}/${slot}`);
    if (there === undefined) return { result: 'detached' };
    if (there !== pathOf(source)) throw new VbsError('FAILED_PRECONDITION', `${slot} holds another disk.`, { context: { slot } });
    await this.#run.run(call, 'detach', { link: this.#link(vm, slot) }, { guard: attachmentId });
    return { result: 'detached' };
  }

  async listDevices(call: Call): Promise<readonly AttachedDevice[]> {
    return [...(await this.#links(call))].map(([name, path]) => {
      const [vm = '', slot = ''] = name.split('/');
      return { vm, slot, source: { kind: 'block', path }, access: 'read-write', state: 'attached' };
    });
  }

  get #run(): CommandRunner<Commands> {
    return this.#instance.commands;
  }

  #link(vm: string, slot: string): string {
    return `${this.#instance.config.directory}/${vm}/${slot}`;
  }

  async #vms(call: Call): Promise<readonly string[]> {
    return await this.#instance.machine.listDirectory(call, this.#instance.config.directory);
  }

  async #links(call: Call): Promise<Links> {
    const { stdout } = await this.#run.run(call, 'list', { directory: this.#instance.config.directory });
    const lines = stdout.split('\n').filter((line) => line !== '');
    return new Map(lines.map((line) => line.split('\t') as [string, string]));
  }
}

function pathOf(source: DeviceRequest['source']): string {
  if (source.kind === 'block') return source.path;
  throw new VbsError('INVALID_ARGUMENT', `a ${source.kind} is no block device of this node`, { context: { field: 'source' } });
}

/** A hypervisor of links: for roads that end at the node's own block device, read and written there by a program of the test. */
export default definePlugin({
  name: 'node-vms',
  apiVersion: 1,
  provides: {
    hypervisor: hypervisor({
      configSchema,
      capabilities: ['hotplug'],
      opens: [],
      machine: 'any',
      lifetime: 'daemon',
      commands,
      open: async (instance) => new NodeVms(instance),
    }),
  },
});
