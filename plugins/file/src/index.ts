import { definePlugin, volumeBackend } from '@vbs/core';
import { configSchema } from './config.js';
import { capabilities, FileVolumeBackend } from './file-volume-backend.js';

export type { FileConfig } from './config.js';
export { type FileCapability, FileVolumeBackend } from './file-volume-backend.js';

/** Volumes as sparse files in a directory of this machine. */
export default definePlugin({
  name: 'file',
  apiVersion: 1,
  provides: {
    volumeBackend: volumeBackend({
      configSchema,
      capabilities,
      locators: ['file'],
      machine: 'local',
      open: (instance) => FileVolumeBackend.open(instance),
    }),
  },
});
