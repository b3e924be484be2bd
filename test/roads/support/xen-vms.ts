import xen from '@vbs/plugin-xen';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import { diskNumber } from '../../stand-ins/xen/disk-number.js';
import { XenWorld } from '../../stand-ins/xen/world.js';
import { KernelDevices } from './kernel-devices.js';
import { type GuestDisk, type NodeVms, xvdSlot } from './node-vms.js';

/** The node is Dom0 of a Xen host, its VMs are DomUs, and xl is the tool. */
export class XenVms implements NodeVms {
  readonly tools: Tools;
  readonly plugin = xen;
  /** A guest that takes a disk does so at once. */
  readonly configuration = { plugin: 'xen', connectTimeoutSeconds: 0.03 };
  readonly world: XenWorld;

  constructor(
    root: string,
    tools: Tools,
    readonly ids: readonly [string, string] = ['vm1', 'vm2'],
  ) {
    const devices = new KernelDevices(root);
    this.world = new XenWorld(root, devices);
    for (const name of ids) this.world.start(name);
    const noticed = ([name, tool]: [string, Tool]): [string, Tool] => [
      name,
      async (run) => {
        devices.notice();
        const result = await tool(run);
        devices.notice();
        return result;
      },
    ];
    this.tools = Object.fromEntries(Object.entries({ ...tools, ...this.world.tools }).map(noticed));
  }

  slot(nth: number): string {
    return xvdSlot(nth);
  }

  disk(vm: string, slot: string): GuestDisk {
    return this.world.disk(vm, slot);
  }

  left(): readonly string[] {
    return this.#disks().map(({ name, path }) => `${name} ${path}`);
  }

  held(): readonly string[] {
    return this.#disks().flatMap(({ path }) => this.world.store.read(`${path}/params`) ?? []);
  }

  occupy(vm: string, slot: string): () => void {
    const { world } = this;
    const [domain, number, params] = [world.named(vm), diskNumber(slot) ?? 0, '/dev/foreign'];
    const device = world.devices.add(params, { sizeBytes: 512 });
    const path = world.create(domain, { number, dev: slot, params, mode: 'w', backend: 'vbd', device });
    world.connect(domain, number);
    return () => {
      world.drop(path, domain.id);
      world.devices.remove(params);
    };
  }

  #disks(): readonly { readonly name: string; readonly path: string }[] {
    return [...this.world.domains.values()].flatMap(({ id, name }) => this.world.disksOf(id).map(({ path }) => ({ name, path })));
  }
}
