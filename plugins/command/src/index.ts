import { definePlugin } from '@vbs/core';
import { commandHypervisor } from './hypervisor/provider.js';
import { commandInitiator } from './initiator/provider.js';

export type { CommandHypervisorConfig } from './hypervisor/config.js';
export type { CommandInitiatorConfig } from './initiator/config.js';

/** A hypervisor, and an initiator of iSCSI, of nothing but command patterns and rules for their output. */
export default definePlugin({
  name: 'command',
  apiVersion: 1,
  provides: { hypervisor: commandHypervisor, initiator: commandInitiator },
});
