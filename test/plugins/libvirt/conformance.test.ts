import { hypervisorConformance } from '@vbs/conformance';
import libvirtPlugin from '@vbs/plugin-libvirt';
import { makeLoopVolume } from '../../support/libvirt/loop-volume.js';
import { sharedGuests, withLibvirt } from '../../support/libvirt/requirements.js';

const libvirt = await withLibvirt('losetup');
const guests = sharedGuests(libvirt, 'vm1', 'vm2');

// One after the other: all share two guests.
hypervisorConformance(libvirt.test, libvirtPlugin, {
  label: `libvirt, block devices on the real libvirt and QEMU${libvirt.why}`,
  config: () => ({ uri: guests().daemon.uri, releaseTimeoutSeconds: 3 }),
  vms: ['vm1', 'vm2'],
  devices: ['vdb', 'sdb'],
  aliases: ['/dev/vdb'],
  illegalDevices: ['vdb1', 'hda', 'hdc', 'xvdb', 'vd', 'vdabc', 'VDB', '/dev/sdb1', 'virtio1', '1', 'fda'],
  makeSource: ({ directory }, { sizeBytes }) => makeLoopVolume(directory, sizeBytes),
  guest: (_surroundings, vmId, slot) => guests().disk(vmId, slot),
  holdDevice: async (_surroundings, vmId) => {
    await guests().agent(vmId).hold();
    return () => guests().agent(vmId).letGo();
  },
  sizeBytes: 64 * 1024,
  timeLimitMs: 120_000,
  settleLimitMs: 15_000,
});
