import { hypervisor } from '@vbs/core';
import { CommandHypervisor } from './command-hypervisor.js';
import { hypervisorConfigSchema } from './config.js';

export const commandHypervisor = hypervisor({
  configSchema: hypervisorConfigSchema,
  capabilities: ['hotplug', 'read-only'],
  opens: [],
  lifetime: 'daemon',
  machine: 'any',
  open: async (instance) => new CommandHypervisor(instance),
});
