import { definePlugin, targetExporter } from '@vbs/core';
import { commands } from './commands.js';
import { tgtConfigSchema } from './config.js';
import { TgtTargetExporter, tgtCapabilities } from './tgt-target-exporter.js';

export type { TgtConfig } from './config.js';

/** Volumes that are block devices or files, exported over iSCSI by tgtd in user space. */
export default definePlugin({
  name: 'tgt',
  apiVersion: 1,
  provides: {
    targetExporter: targetExporter({
      configSchema: tgtConfigSchema,
      capabilities: tgtCapabilities,
      protocol: 'iscsi',
      accepts: ['block', 'file'],
      machine: 'any',
      lifetime: 'daemon',
      commands,
      open: (instance, call) => TgtTargetExporter.open(instance, call),
    }),
  },
});
