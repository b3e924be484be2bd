import { initiator } from '@vbs/core';
import { CommandInitiator } from './command-initiator.js';
import { initiatorConfigSchema } from './config.js';

export const commandInitiator = initiator({
  configSchema: initiatorConfigSchema,
  capabilities: ['extend'],
  protocol: 'iscsi',
  machine: 'any',
  open: async (instance) => new CommandInitiator(instance),
});
