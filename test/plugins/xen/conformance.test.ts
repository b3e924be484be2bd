import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type AttachableSource, hypervisorConformance, type Surroundings } from '@vbs/conformance';
import xenPlugin from '@vbs/plugin-xen';
import test from 'ava';
import { readAt, writeAt } from '../../stand-ins/xen/devices.js';
import { Host, toolstacks } from './xen-fixture.js';

const hosts = new WeakMap<object, Host>();

/** The host of one test. */
function hostOf(surroundings: Surroundings): Host {
  const found = hosts.get(surroundings.atEnd);
  if (found !== undefined) return found;
  mkdirSync(join(surroundings.directory, 'root'), { recursive: true });
  const host = new Host(surroundings.directory);
  hosts.set(surroundings.atEnd, host);
  return host;
}

let drawn = 0;

function makeSource(host: Host, sizeBytes: number): AttachableSource {
  const { path, device } = host.device({ sizeBytes });
  return {
    source: { kind: 'block', path },
    serial: `vol${(++drawn).toString(16).padStart(17, '0')}`,
    read: (offset, length) => readAt(device, offset, length),
    write: (offset, bytes) => writeAt(device, offset, bytes),
    grow: async () => {
      throw new Error('Xen declares no extend');
    },
    remove: async () => host.world.devices.remove(device.path),
  };
}

for (const [tool, commands] of toolstacks) {
  hypervisorConformance(test, xenPlugin, {
    label: `xen, by ${tool} on stand-in tools`,
    config: () => ({ connectTimeoutSeconds: 0.1 }),
    commands,
    machine: (surroundings) => hostOf(surroundings).machine,
    vms: ['vm1', 'vm2'],
    devices: ['xvdb', 'xvdq'],
    aliases: ['/dev/xvdb', '51728', '0xca10', '0xCA10'],
    illegalDevices: [
      'xvd',
      'xvdb1',
      '/dev/xvdb1',
      'XVDB',
      'vdb',
      'hde',
      'sdq',
      '/dev/51728',
      '51729',
      '051728',
      '0145020',
      '-1',
      '0',
      '268435712',
      'xvdzzzz',
      'd1p0',
    ],
    makeSource: async (surroundings, { sizeBytes }) => makeSource(hostOf(surroundings), sizeBytes),
    guest: (surroundings, vmId, slot) => hostOf(surroundings).world.disk(vmId, slot),
    holdDevice: async (surroundings, vmId, slot) => {
      const letGo = hostOf(surroundings).world.hold(vmId, slot);
      return async () => letGo();
    },
  });
}
