import type { Call, CommandRunner, CommandValues, Logger, RunResult } from '@vbs/core';
import type { LvmCommands } from './commands.js';
import { mapLvmError } from './map-error.js';
import { type GroupReport, parseLvmconfig, parseReport } from './parse-report.js';
import type { LvmSettings } from './settings.js';

type Name = keyof LvmCommands & string;
/** What a command takes besides the group that it is about. */
type Values<K extends Name> = Omit<CommandValues<LvmCommands[K]>, 'lvmConfig' | 'volumeGroup'>;

/** LVM waits for the group's lock, and 5 s for an LV that is in use. */
const limitMs = 60_000;
/** Below the 120 s that a copy may take between two reports of progress. */
const pieceLimitMs = 110_000;
const pieceCommands: ReadonlySet<Name> = new Set<Name>(['zeroPiece', 'copyPiece', 'discardPiece']);
const mostOutputBytes = 64 * 1024 * 1024;

/** Runs the commands about one volume group, a failure with the code that tells most. Changes run under the guard of their resource. */
export class Lvm {
  constructor(
    private readonly commands: CommandRunner<LvmCommands>,
    readonly settings: LvmSettings,
    readonly machineName: string,
    readonly log: Logger,
  ) {}

  /** The group and everything in it, of whomever, in one look. @throws UNAVAILABLE: the group is not there. */
  async look(call: Call): Promise<GroupReport> {
    return parseReport((await this.#run(call, 'look', {})).stdout);
  }

  /** Settings of lvm.conf as LVM takes them, defaults too. */
  async readSettings(call: Call): Promise<ReadonlyMap<string, string>> {
    return parseLvmconfig((await this.#run(call, 'readSettings', {})).stdout);
  }

  /** Runs a command that changes `guard`. */
  async change<K extends Name>(call: Call, guard: string, name: K, values: Values<K>): Promise<RunResult> {
    return await this.#run(call, name, values, guard);
  }

  async #run<K extends Name>(call: Call, name: K, values: Values<K>, guard?: string): Promise<RunResult> {
    const { lvmConfig, volumeGroup } = this.settings;
    const whole = { ...values, lvmConfig, volumeGroup } as unknown as CommandValues<LvmCommands[K]>;
    try {
      return await this.commands.run(call, name, whole, {
        timeLimitMs: pieceCommands.has(name) ? pieceLimitMs : limitMs,
        maxOutputBytes: mostOutputBytes,
        ...(guard === undefined ? {} : { guard }),
      });
    } catch (error) {
      throw mapLvmError(error);
    }
  }
}
