import { definePlugin } from '@vbs/core';
import { aoeExporterProvider } from './exporter/provider.js';
import { aoeInitiatorProvider } from './initiator/provider.js';

export type { AoeExporterConfig } from './exporter/config.js';

/** Volumes over ATA over Ethernet: exported by vblade on a volume server, and connected by the kernel's `aoe` on a VMM node. */
export default definePlugin({
  name: 'aoe',
  apiVersion: 1,
  provides: {
    targetExporter: aoeExporterProvider,
    initiator: aoeInitiatorProvider,
  },
});
