import { type AttachableSource, hypervisorConformance, type Surroundings } from '@vbs/conformance';
import proxmoxPlugin from '@vbs/plugin-proxmox-kvm';
import { Node, testBy, ways, whySkipped } from './proxmox-fixture.js';

const nodes = new WeakMap<object, Node>();

/** The node of one test. */
function nodeOf(surroundings: Surroundings): Node {
  const found = nodes.get(surroundings.atEnd);
  if (found !== undefined) return found;
  const node = new Node(surroundings.directory);
  nodes.set(surroundings.atEnd, node);
  return node;
}

let drawn = 0;

function makeSource(node: Node, sizeBytes: number): AttachableSource {
  const path = node.device(sizeBytes);
  return {
    source: { kind: 'block', path },
    serial: `vol${(++drawn).toString(16).padStart(17, '0')}`,
    read: (offset, length) => node.world.read(path, offset, length),
    write: (offset, bytes) => node.world.write(path, offset, bytes),
    grow: async () => {
      throw new Error('Proxmox VE declares no extend');
    },
    remove: async () => node.world.removeDevice(path),
  };
}

for (const way of ways) {
  hypervisorConformance(testBy(way), proxmoxPlugin, {
    label: `proxmox-kvm, by ${way} on stand-in tools${whySkipped(way)}`,
    config: async (_directory, surroundings) => {
      const node = nodeOf(surroundings);
      if (way === 'qm') return {};
      const { server, ticket } = await node.api();
      surroundings.atEnd(() => server.close());
      server.tasks.takesMs = 5;
      return { api: ticket };
    },
    machine: (surroundings) => nodeOf(surroundings).machine,
    vms: ['100', '101'],
    devices: ['scsi1', 'virtio0'],
    aliases: ['SCSI1', 'Scsi1', 'drive-scsi1'],
    illegalDevices: [
      'scsi',
      'scsi01',
      'scsi31',
      'ide4',
      'sata6',
      'virtio16',
      'scsi-1',
      'efidisk0',
      'unused0',
      'net0',
      'sda',
      'scsi1:0',
      'drive-',
      '1',
      'scsi1;scsi2',
    ],
    makeSource: async (surroundings, { sizeBytes }) => makeSource(nodeOf(surroundings), sizeBytes),
    guest: (surroundings, vmId, slot) => nodeOf(surroundings).world.disk(Number(vmId), slot),
    holdDevice: async (surroundings, vmId, slot) => {
      const letGo = nodeOf(surroundings).world.hold(Number(vmId), slot);
      return async () => letGo();
    },
  });
}
