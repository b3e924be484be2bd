import type { CommandRunner, Machine } from '@vbs/core';
import type { IscsiNames } from '@vbs/core/exporter-support';
import type { commands } from './commands.js';
import type { Daemon } from './daemon.js';
import type { RevokedMarks } from './revoked-marks.js';
import type { TgtSettings } from './settings.js';
import type { Tgtadm } from './tgtadm.js';

/** What the acts of one exporter share. */
export interface Tools {
  readonly settings: TgtSettings;
  readonly names: IscsiNames;
  readonly tgtadm: Tgtadm;
  readonly daemon: Daemon;
  readonly marks: RevokedMarks;
  readonly commands: CommandRunner<typeof commands>;
  readonly machine: Machine;
}
