import { targetExporter } from '@vbs/core';
import { commands } from './commands.js';
import { ietConfigSchema } from './config.js';
import { IetTargetExporter, ietCapabilities } from './iet-target-exporter.js';

export type { IetConfig } from './config.js';

/** Volumes that are block devices or files, exported over iSCSI by the iSCSI Enterprise Target in the kernel. */
export const ietProvider = targetExporter({
  configSchema: ietConfigSchema,
  capabilities: ietCapabilities,
  protocol: 'iscsi',
  accepts: ['block', 'file'],
  machine: 'any',
  lifetime: 'daemon',
  commands,
  open: (instance) => IetTargetExporter.open(instance),
});
