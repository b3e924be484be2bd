import { volumeBackend } from '@vbs/core';
import { lvmCommands } from './commands.js';
import { lvmConfigSchema } from './config.js';
import { LvmVolumeBackend, lvmCapabilities } from './lvm-volume-backend.js';

/** Volumes in LVM, as `definePlugin` takes it. */
export const lvmProvider = volumeBackend({
  configSchema: lvmConfigSchema,
  capabilities: lvmCapabilities,
  locators: ['block'],
  machine: 'any',
  commands: lvmCommands,
  open: (instance, call) => LvmVolumeBackend.open(instance, call),
});
