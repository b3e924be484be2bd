import { definePlugin, targetExporter } from '@vbs/core';
import { nbdConfigSchema } from './config.js';
import { NbdTargetExporter } from './nbd-target-exporter.js';

export type { NbdConfig } from './config.js';

/** Volumes that are files, served over NBD by a server in this process, on loopback addresses. */
export default definePlugin({
  name: 'nbd',
  apiVersion: 1,
  provides: {
    targetExporter: targetExporter({
      configSchema: nbdConfigSchema,
      capabilities: ['read-only', 'multi-attach', 'fence', 'extend'],
      protocol: 'nbd',
      accepts: ['file'],
      machine: 'local',
      lifetime: 'process',
      open: (instance) => NbdTargetExporter.open(instance),
    }),
  },
});
