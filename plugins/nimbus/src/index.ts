import { cloudResolver, definePlugin } from '@vbs/core';
import { commands } from './commands.js';
import { nimbusConfigSchema } from './config.js';
import { NimbusCloudResolver } from './nimbus-cloud-resolver.js';

export type { DocumentsConfig, NimbusConfig } from './config.js';

/** Instances of a Nimbus cloud, to VMM host and Xen domain. */
export default definePlugin({
  name: 'nimbus',
  apiVersion: 1,
  provides: {
    cloudResolver: cloudResolver({
      configSchema: nimbusConfigSchema,
      capabilities: ['list'],
      machine: 'any',
      commands,
      open: (instance) => NimbusCloudResolver.open(instance),
    }),
  },
});
