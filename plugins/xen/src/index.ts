import { definePlugin, hypervisor } from '@vbs/core';
import { commands } from './commands.js';
import { xenConfigSchema } from './config.js';
import { XenHypervisor } from './xen-hypervisor.js';

export type { XenConfig } from './config.js';

/** Block devices of Dom0 as disks of Xen's VMs, by xl, or by xm with replaced commands. */
export default definePlugin({
  name: 'xen',
  apiVersion: 1,
  provides: {
    hypervisor: hypervisor({
      configSchema: xenConfigSchema,
      capabilities: ['hotplug', 'read-only'],
      opens: [],
      machine: 'any',
      lifetime: 'daemon',
      commands,
      open: async (instance) => new XenHypervisor(instance),
    }),
  },
});
