import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type AttachableSource, hypervisorConformance, type Surroundings } from '@vbs/conformance';
import commandPlugin, { type CommandHypervisorConfig } from '@vbs/plugin-command';
import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { ProxmoxWorld } from '../../stand-ins/proxmox/world.js';
import { readAt, writeAt } from '../../stand-ins/xen/devices.js';
import { readmeExample } from '../../support/command/readme-example.js';
import { Host } from '../xen/xen-fixture.js';

const hosts = new WeakMap<object, Host>();

/** The Xen host of one test. */
function hostOf(surroundings: Surroundings): Host {
  const found = hosts.get(surroundings.atEnd);
  if (found !== undefined) return found;
  mkdirSync(join(surroundings.directory, 'root'), { recursive: true });
  const host = new Host(surroundings.directory);
  hosts.set(surroundings.atEnd, host);
  return host;
}

let drawn = 0;

function xenSource(host: Host, sizeBytes: number): AttachableSource {
  const { path, device } = host.device({ sizeBytes });
  return {
    source: { kind: 'block', path },
    serial: `vol${(++drawn).toString(16).padStart(17, '0')}`,
    read: (offset, length) => readAt(device, offset, length),
    write: (offset, bytes) => writeAt(device, offset, bytes),
    grow: async () => {
      throw new Error('patterns declare no extend');
    },
    remove: async () => host.world.devices.remove(device.path),
  };
}

hypervisorConformance(test, commandPlugin, {
  label: "command, the paper's Xen pattern on stand-in tools",
  config: () => ({ ...readmeExample('xen'), attachTimeoutSeconds: 0.1 }) as unknown as CommandHypervisorConfig,
  machine: (surroundings) => hostOf(surroundings).machine,
  vms: ['vm1', 'vm2'],
  devices: ['xvdb', 'xvdh'],
  aliases: ['/dev/xvdb', '51728'],
  illegalDevices: ['xvd', 'xvda', 'xvdb1', '/dev/xvdb1', 'XVDB', 'vdb', '51729', '/dev/51728', 'xvdj', '-xvdb'],
  makeSource: async (surroundings, { sizeBytes }) => xenSource(hostOf(surroundings), sizeBytes),
  guest: (surroundings, vmId, slot) => hostOf(surroundings).world.disk(vmId, slot),
  holdDevice: async (surroundings, vmId, slot) => {
    const letGo = hostOf(surroundings).world.hold(vmId, slot);
    return async () => letGo();
  },
});

interface ProxmoxNode {
  readonly world: ProxmoxWorld;
  readonly machine: StandInMachine;
}
const nodes = new WeakMap<object, ProxmoxNode>();

/** The Proxmox node of one test. */
function nodeOf({ atEnd, directory }: Surroundings): ProxmoxNode {
  const found = nodes.get(atEnd);
  if (found !== undefined) return found;
  const root = join(directory, 'root');
  mkdirSync(root, { recursive: true });
  const world = new ProxmoxWorld(root);
  for (const vmid of [101, 102]) world.create(vmid);
  const machine = new StandInMachine({ name: 'pve1', root, stateDirectory: join(directory, 'node-state'), tools: world.tools });
  const node = { world, machine };
  nodes.set(atEnd, node);
  return node;
}

hypervisorConformance(test, commandPlugin, {
  label: "command, the paper's move to Proxmox on stand-in tools",
  config: () => ({ ...readmeExample('proxmox'), attachTimeoutSeconds: 0.1 }) as unknown as CommandHypervisorConfig,
  machine: (surroundings) => nodeOf(surroundings).machine,
  vms: ['101', 'vm102'],
  devices: ['scsi1', 'virtio15'],
  aliases: [],
  illegalDevices: ['scsi', 'scsi0', 'scsi01', 'scsi31', 'virtio16', 'ide0', 'sata1', '-scsi1', 'delete', 'SCSI1', 'scsi1,ro=1'],
  makeSource: async (surroundings, { sizeBytes }) => {
    const { world } = nodeOf(surroundings);
    const path = `/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-${++drawn}-lun-1`;
    world.addDevice(path, sizeBytes);
    return {
      source: { kind: 'block', path },
      serial: `vol${drawn.toString(16).padStart(17, '0')}`,
      read: (offset, length) => world.read(path, offset, length),
      write: (offset, bytes) => world.write(path, offset, bytes),
      grow: async () => {
        throw new Error('patterns declare no extend');
      },
      remove: async () => world.removeDevice(path),
    };
  },
  guest: (surroundings, vmId, slot) => nodeOf(surroundings).world.disk(Number(vmId.replace('vm', '')), slot),
  holdDevice: async (surroundings, vmId, slot) => {
    const letGo = nodeOf(surroundings).world.hold(Number(vmId.replace('vm', '')), slot);
    return async () => letGo();
  },
});
