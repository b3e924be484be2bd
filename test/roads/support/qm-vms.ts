import proxmoxKvm from '@vbs/plugin-proxmox-kvm';
import type { Tools } from '../../stand-ins/frame/tool.js';
import { ProxmoxWorld } from '../../stand-ins/proxmox/world.js';
import type { GuestDisk, NodeVms } from './node-vms.js';

const lastScsi = 30;

/** The node is one of Proxmox VE, and qm is the tool. */
export class QmVms implements NodeVms {
  readonly tools: Tools;
  readonly plugin = proxmoxKvm;
  readonly configuration = { plugin: 'proxmox-kvm' };
  readonly ids = ['100', '101'] as const;
  readonly #world: ProxmoxWorld;
  readonly #first: ReadonlySet<string>;

  constructor(root: string, tools: Tools) {
    this.#world = new ProxmoxWorld(root);
    for (const id of this.ids) this.#world.create(Number(id));
    this.#first = new Set(this.#world.state());
    this.tools = { ...tools, ...this.#world.tools };
  }

  /** scsi0 is the disk from which a VM boots. */
  slot(nth: number): string {
    return nth < lastScsi ? `scsi${nth + 1}` : `virtio${nth - lastScsi}`;
  }

  disk(vm: string, slot: string): GuestDisk {
    return this.#world.disk(Number(vm), slot);
  }

  left(): readonly string[] {
    return this.#world.state().filter((line) => !this.#first.has(line));
  }

  held(): readonly string[] {
    const plugged = [...this.#world.running.values()].flatMap((vm) => [...vm.plugged.values()]);
    return plugged.map(({ path }) => path).filter((path) => path.startsWith('/'));
  }

  occupy(vm: string, slot: string): () => void {
    const [vmid, path] = [Number(vm), '/dev/foreign'];
    const world = this.#world;
    world.addDevice(path, 512);
    const changed = (change: (options: Map<string, string>) => void): void => {
      const config = world.load(vmid);
      change(config.current);
      world.save(vmid, config);
    };
    changed((options) => options.set(slot, path));
    world.plug(vmid, slot, path);
    return () => {
      world.unplug(vmid, slot);
      changed((options) => options.delete(slot));
      world.removeDevice(path);
    };
  }
}
