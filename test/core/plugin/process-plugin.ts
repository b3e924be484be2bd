import { definePlugin, hypervisor } from '@vbs/core';
import { noKeys } from './fixtures.js';

/** A hypervisor whose VMs live in this process and have no disks. */
export const processPlugin = definePlugin({
  name: 'in-process',
  apiVersion: 1,
  provides: {
    hypervisor: hypervisor({
      configSchema: noKeys,
      capabilities: ['hotplug'],
      opens: ['nbd'],
      lifetime: 'process',
      machine: 'local',
      open: async () => ({
        identifyVm: async (_call, { vmId }) => ({ key: vmId, running: true }),
        canonicalSlot: async (_call, { device }) => ({ slot: device }),
        attachDevice: async () => undefined,
        detachDevice: async () => ({ result: 'detached' }),
        listDevices: async () => [],
      }),
    }),
  },
});
