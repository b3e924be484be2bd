import type { Machine } from '@vbs/core';
import type { AoeInitiatorConfig } from './config.js';
import type { AoeDevices } from './devices.js';
import type { AoeKernel } from './kernel.js';

/** What the acts of one initiator share. */
export interface Tools {
  readonly config: AoeInitiatorConfig;
  readonly machine: Machine;
  readonly devices: AoeDevices;
  readonly kernel: AoeKernel;
}
