import type { CommandRunner, OneAtATime } from '@vbs/core';
import type { Blades } from './blades.js';
import type { exporterCommands } from './commands.js';
import type { RevokedMarks } from './revoked-marks.js';

/** What the acts of one exporter share. */
export interface Tools {
  readonly blades: Blades;
  readonly marks: RevokedMarks;
  readonly commands: CommandRunner<typeof exporterCommands>;
  /** Between the look for others with the same volume and the start, no other export of this path comes up. */
  readonly starts: OneAtATime;
}
