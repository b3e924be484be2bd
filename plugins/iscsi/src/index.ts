import { definePlugin, initiator } from '@vbs/core';
import { commands } from './commands.js';
import { iscsiConfigSchema } from './config.js';
import { IscsiInitiator } from './iscsi-initiator.js';

export type { IscsiConfig } from './config.js';

/** iSCSI exports as block devices of a VMM node, by open-iscsi. */
export default definePlugin({
  name: 'iscsi',
  apiVersion: 1,
  provides: {
    initiator: initiator({
      configSchema: iscsiConfigSchema,
      capabilities: ['extend'],
      protocol: 'iscsi',
      machine: 'any',
      commands,
      open: async (instance) => new IscsiInitiator(instance),
    }),
  },
});
