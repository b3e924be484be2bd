import { resolve } from 'node:path/posix';
import { definePlugin, hypervisor } from '@vbs/core';
import { openApiDriver } from './api/open-api-driver.js';
import { commands } from './commands.js';
import { proxmoxConfigSchema, proxmoxDefaults } from './config.js';
import { ProxmoxHypervisor } from './proxmox-hypervisor.js';
import { QmDriver } from './qm-driver.js';

export type { ApiConfig, ProxmoxConfig } from './config.js';

/** Block devices of a Proxmox VE node as disks of its VMs, by qm or the REST API. */
export default definePlugin({
  name: 'proxmox-kvm',
  apiVersion: 1,
  provides: {
    hypervisor: hypervisor({
      configSchema: proxmoxConfigSchema,
      capabilities: ['hotplug', 'read-only'],
      opens: [],
      machine: 'any',
      lifetime: 'daemon',
      commands,
      open: async ({ config, machine, commands: runner, baseDirectory }) => {
        const { api, ...settings } = { ...proxmoxDefaults, ...config };
        const driver =
          api === undefined
            ? new QmDriver(machine, runner, resolve(settings.configDirectory))
            : await openApiDriver({ api, machine, baseDirectory });
        return new ProxmoxHypervisor(driver, settings);
      },
    }),
  },
});
