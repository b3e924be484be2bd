import { type Argument, type Call, type CommandRunner, isVbsError, type LongRunning, type Machine, unlessCode, VbsError } from '@vbs/core';
import { keyOf } from './address.js';
import { type Blade, type OtherBlade, parseBlade, parseProcessList, wordsOf } from './blade.js';
import type { exporterCommands } from './commands.js';
import { mapExporterError } from './map-error.js';
import type { BladeName, BladeNames } from './names.js';
import type { ExporterSettings } from './settings.js';

/** A vblade of this store that runs. */
export interface RunningBlade extends BladeName {
  /** The name of its process. */
  readonly name: string;
  readonly blade: Blade;
}

export interface StartedBlade extends BladeName {
  readonly blade: Blade & { readonly sectors: number };
}

/** vblade is ready, or ends, within milliseconds. */
const readyLimitMs = 30_000;
const graceMs = 2_000;
const listLimitMs = 30_000;
/** As many patterns as one look of a machine takes. */
const lookAtOnce = 256;

const commandLineOf = ({ pid }: Pick<LongRunning, 'pid'>): string => `/proc/${pid}/cmdline`;

/** The vblade processes of one store on one machine: they outlive this process, and tell themselves what they export. */
export class Blades {
  constructor(
    private readonly machine: Machine,
    private readonly commands: CommandRunner<typeof exporterCommands>,
    private readonly names: BladeNames,
    private readonly settings: ExporterSettings,
  ) {}

  /** Every one, in one look. */
  all(call: Call): Promise<readonly RunningBlade[]> {
    return this.#find(call, this.names.prefix);
  }

  /** Those of an export: one, or none. */
  of(call: Call, exportId: string): Promise<readonly RunningBlade[]> {
    return this.#find(call, this.names.prefixOf(exportId));
  }

  /** Every vblade of the machine, of whomever. */
  async everybodys(call: Call): Promise<readonly OtherBlade[]> {
    try {
      const { stdout } = await this.commands.run(call, 'listBlades', {}, { timeLimitMs: listLimitMs, okExitCodes: [0, 1] });
      return parseProcessList(stdout);
    } catch (error) {
      throw mapExporterError(error);
    }
  }

  /**
   * Starts one; it is ended again if it shows another address, size or access than it was told.
   * @throws NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION: vblade refuses, and does not run.
   */
  async start(call: Call, wanted: StartedBlade): Promise<void> {
    const { exportId, blade } = wanted;
    const name = this.names.of(wanted);
    const mode = blade.readOnly ? 'RDONLY' : 'RDWR';
    const readyLine = new RegExp(`^pid \\d+: ${keyOf(blade).replace('.', '\\.')}, ${blade.sectors} sectors O_${mode}$`);
    let started: LongRunning;
    try {
      started = await this.machine.start(call, name, this.#command(blade), { guard: exportId, readyLine, timeLimitMs: readyLimitMs });
    } catch (error) {
      throw mapExporterError(error);
    }
    try {
      await this.#verify(call, started, wanted);
    } catch (error) {
      throw await this.#takenBack(call, wanted, error);
    }
  }

  /** Ends when it has ended: nothing is written through it any more. */
  async stop(call: Call, { name, exportId }: { readonly name: string; readonly exportId: string }): Promise<void> {
    await this.machine.stop(call, name, { guard: exportId, graceMs });
  }

  /** Says that an interface was down only after it said that it is ready; and what it makes of a mask that it cannot read, only there. */
  async #verify(call: Call, { pid }: LongRunning, { exportId, blade }: StartedBlade): Promise<void> {
    const said = await this.#output(call, pid);
    if (said === undefined || /Network is down/.test(said)) {
      const message = `vblade ended as soon as it had begun to export ${exportId}: the network interface ${blade.interface} is down. Set it up.`;
      throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { interface: blade.interface, said } });
    }
    if (/^ignoring mask/m.test(said)) {
      const message = `vblade would answer everybody on the segment, since it does not understand its access list: ${said.trim().slice(0, 300)}`;
      throw new VbsError('INTERNAL', message, { resource: exportId, context: { said } });
    }
  }

  /** What a process has written; where another user's privileges hide that, nothing; undefined for one that has ended. */
  async #output(call: Call, pid: number): Promise<string | undefined> {
    try {
      return await unlessCode('NOT_FOUND', this.machine.readFile(call, `/proc/${pid}/fd/1`));
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'PERMISSION_DENIED') throw error;
      const commandLine = await unlessCode('NOT_FOUND', this.machine.readFile(call, commandLineOf({ pid })));
      return commandLine === undefined || commandLine === '' ? undefined : '';
    }
  }

  async #takenBack(call: Call, wanted: StartedBlade, error: unknown): Promise<unknown> {
    const repair = { ...call, signal: AbortSignal.timeout(graceMs * 2) };
    const { exportId } = wanted;
    try {
      await this.stop(repair, { name: this.names.of(wanted), exportId });
      return error;
    } catch (cause) {
      const why = `${error instanceof Error ? error.message : String(error)} Its vblade could not be ended: ${cause instanceof Error ? cause.message : String(cause)}`;
      return new VbsError('INTERNAL', why, { resource: exportId, cause: error });
    }
  }

  async #find(call: Call, prefix: string): Promise<readonly RunningBlade[]> {
    const named = await this.machine.find(call, prefix);
    const found: RunningBlade[] = [];
    for (let first = 0; first < named.length; first += lookAtOnce) {
      const some = named.slice(first, first + lookAtOnce);
      const look = await this.machine.look(call, some.map(commandLineOf));
      found.push(...some.flatMap((one) => this.#running(one, look.text(commandLineOf(one))) ?? []));
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Undefined for one that has ended meanwhile, and for a name that is nobody's of ours. */
  #running({ name, pid }: LongRunning, commandLine: string | undefined): RunningBlade | undefined {
    const known = this.names.parse(name);
    if (known === undefined || commandLine === undefined || commandLine === '') return undefined;
    const words = wordsOf(commandLine);
    const blade = parseBlade(words);
    if (blade !== undefined) return { ...known, name, blade };
    const message = `The process ${pid} of ${known.exportId} is no vblade: ${words.join(' ').slice(0, 200)}. A command that replaces startBlade must become vblade itself.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: known.exportId, context: { pid, name } });
  }

  #command({ shelf, slot, interface: netif, path, sectors, masks, readOnly }: StartedBlade['blade']): readonly [string, ...Argument[]] {
    const { sync, direct, bufferCount } = this.settings;
    const flags = `${sync ? 's' : ''}${direct ? 'd' : ''}${readOnly ? 'r' : ''}`;
    const values = { buffers: bufferCount, sectors, shelf, slot, interface: netif, path };
    const list = masks.map((mask) => mask.replace(/..(?=.)/g, '$&:')).join(',');
    if (list !== '') {
      return flags === ''
        ? this.commands.fill('startUnsyncedBlade', { ...values, masks: list })
        : this.commands.fill('startBlade', { ...values, flags, masks: list });
    }
    return flags === '' ? this.commands.fill('startOpenUnsyncedBlade', values) : this.commands.fill('startOpenBlade', { ...values, flags });
  }
}
