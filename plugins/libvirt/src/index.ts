import { definePlugin, hypervisor } from '@vbs/core';
import { commands } from './commands.js';
import { libvirtConfigSchema } from './config.js';
import { LibvirtHypervisor, libvirtCapabilities } from './libvirt-hypervisor.js';

export type { LibvirtConfig } from './config.js';

/** Block devices, NBD exports and iSCSI LUNs as disks of QEMU and KVM guests under libvirt, by virsh. */
export default definePlugin({
  name: 'libvirt',
  apiVersion: 1,
  provides: {
    hypervisor: hypervisor({
      configSchema: libvirtConfigSchema,
      capabilities: libvirtCapabilities,
      opens: ['nbd', 'iscsi'],
      machine: 'any',
      lifetime: 'daemon',
      commands,
      open: async (instance) => new LibvirtHypervisor(instance),
    }),
  },
});
