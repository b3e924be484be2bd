import { targetExporter } from '@vbs/core';
import { AoeTargetExporter, aoeExporterCapabilities } from './aoe-target-exporter.js';
import { exporterCommands } from './commands.js';
import { aoeExporterSchema } from './config.js';

/** Volumes that are block devices or files, exported over ATA over Ethernet by vblade. */
export const aoeExporterProvider = targetExporter({
  configSchema: aoeExporterSchema,
  capabilities: aoeExporterCapabilities,
  protocol: 'aoe',
  accepts: ['block', 'file'],
  machine: 'any',
  lifetime: 'daemon',
  commands: exporterCommands,
  open: (instance, call) => AoeTargetExporter.open(instance, call),
});
