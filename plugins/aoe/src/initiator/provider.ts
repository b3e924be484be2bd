import { initiator } from '@vbs/core';
import { AoeInitiator, aoeInitiatorCapabilities } from './aoe-initiator.js';
import { commands } from './commands.js';
import { aoeInitiatorConfigSchema } from './config.js';

export type { AoeInitiatorConfig } from './config.js';

/** The initiator of this plugin, for its manifest. */
export const aoeInitiatorProvider = initiator({
  configSchema: aoeInitiatorConfigSchema,
  capabilities: aoeInitiatorCapabilities,
  protocol: 'aoe',
  machine: 'any',
  commands,
  open: (instance) => AoeInitiator.open(instance),
});
