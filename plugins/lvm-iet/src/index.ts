import { definePlugin } from '@vbs/core';
import { ietProvider } from './iet/provider.js';
import { lvmProvider } from './lvm/provider.js';

export type { IetConfig } from './iet/config.js';
export type { LvmConfig } from './lvm/config.js';

/** Volumes that are logical volumes, and block devices exported over iSCSI by IET in the kernel: the pair of the paper. */
export default definePlugin({ name: 'lvm-iet', apiVersion: 1, provides: { volumeBackend: lvmProvider, targetExporter: ietProvider } });
