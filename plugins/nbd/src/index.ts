import { definePlugin, targetExporter } from '@vbs/core';
import { nbdConfigSchema } from './config.js';
import { NbdTargetExporter } from './nbd-target-exporter.js';

export type { NbdConfig } from './config.js';

/** Volumes that are files, served over NBD by this process or by one of its own that outlives it. */
export default definePlugin({
  name: 'nbd',
  apiVersion: 1,
  provides: {
    targetExporter: targetExporter({
      configSchema: nbdConfigSchema,
      capabilities: ['read-only', 'multi-attach', 'tls', 'fence', 'extend'],
      protocol: 'nbd',
      accepts: ['file'],
      machine: 'local',
      lifetime: (config) => (config.process === 'own' ? 'daemon' : 'process'),
      open: (instance, call) => NbdTargetExporter.open(instance, call),
    }),
  },
});
