import {
  type AddressRange,
  type BackendVolume,
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  type Instance,
  isVbsError,
  type Lifecycle,
  OneAtATime,
  type TargetExport,
  type TargetExporter,
  type TargetExporterTraits,
} from '@vbs/core';
import { ensureEach, requireExportId } from '@vbs/core/exporter-support';
import { type AoeAddress, keyOf } from './address.js';
import { sectorBytes } from './blade.js';
import { Blades, type RunningBlade } from './blades.js';
import type { exporterCommands } from './commands.js';
import type { AoeExporterConfig } from './config.js';
import { extendExport } from './extend-export.js';
import { makeExport } from './make-export.js';
import { mapExporterError } from './map-error.js';
import { BladeNames } from './names.js';
import { revokeAccess } from './revoke-access.js';
import { type RevokedExport, RevokedMarks } from './revoked-marks.js';
import { type ExporterSettings, settingsOf } from './settings.js';
import type { Tools } from './tools.js';
import { wantedExport } from './wanted-export.js';

export const aoeExporterCapabilities = ['read-only', 'acl', 'fence', 'extend'] as const;
type Capability = (typeof aoeExporterCapabilities)[number];
type Kind = 'block' | 'file';
type Contract = TargetExporter<Capability, 'aoe', Kind> & TargetExporterTraits & Lifecycle<Capability>;
type AoeInstance = Instance<AoeExporterConfig, 'any', typeof exporterCommands>;

const usageExit = 1;

/** Exports block devices and files over ATA over Ethernet: one vblade process for each export, which outlives VBS. */
export class AoeTargetExporter implements Contract {
  readonly reach: 'loopback' | 'network';
  readonly addresses: AddressRange;
  readonly capabilities: ReadonlySet<Capability>;
  readonly #settings: ExporterSettings;
  readonly #tools: Tools;
  readonly #turns = new OneAtATime();

  private constructor(settings: ExporterSettings, tools: Tools) {
    this.#settings = settings;
    this.#tools = tools;
    this.reach = settings.interface === 'lo' ? 'loopback' : 'network';
    this.addresses = { space: `aoe:${settings.segment}`, ...settings.numbers };
    this.capabilities = new Set(aoeExporterCapabilities.filter((name) => name !== 'acl' || settings.acl));
  }

  /** @throws CONFIG_INVALID. */
  static async open(instance: AoeInstance, call: Call): Promise<AoeTargetExporter> {
    const settings = settingsOf({ ...instance, stateDirectory: await instance.machine.stateDirectory(call) });
    const { machine, commands, store } = instance;
    return new AoeTargetExporter(settings, {
      blades: new Blades(machine, commands, new BladeNames(store.id), settings),
      marks: new RevokedMarks(settings.directory, commands, machine),
      commands,
      starts: new OneAtATime(),
    });
  }

  /**
   * @throws FAILED_PRECONDITION: another vblade of this machine has the address or the volume; the network interface is not there or
   * down. PERMISSION_DENIED: this user may not open raw sockets. INVALID_ARGUMENT: an initiator is no Ethernet address, or there are
   * more than 32.
   */
  async createExport(call: Call, request: ExportRequest<Kind>): Promise<ConnectionInfo<'aoe'>> {
    const wanted = wantedExport(request, this.#settings);
    await this.#turns.run(wanted.exportId, () => makeExport(call, this.#tools, wanted));
    return connectionOf(wanted.blade, wanted.serial);
  }

  /** Takes it away also under an initiator that has the device open, which AoE does not tell: its reads and writes wait, and then fail. */
  async deleteExport(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    const { blades, marks } = this.#tools;
    await this.#turns.run(exportId, async () => {
      for (const one of await blades.of(call, exportId)) await blades.stop(call, one);
      await marks.remove(call, exportId);
    });
  }

  async listExports(call: Call): Promise<readonly TargetExport<'aoe'>[]> {
    const [running, revoked] = await Promise.all([this.#tools.blades.all(call), this.#tools.marks.all(call)]);
    const shown = new Set(running.map(({ exportId }) => exportId));
    return [...running, ...revoked.filter(({ exportId }) => !shown.has(exportId))].map(listed);
  }

  /** Tries every one; the error names all that could not be made, with the code of the first. */
  async ensureExports(call: Call, { exports }: { readonly exports: readonly ExportRequest<Kind>[] }): Promise<void> {
    const seen = await this.#tools.blades.all(call);
    await ensureEach(exports, (request) => this.#ensure(call, request, seen));
  }

  async revokeAccess(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    await this.#turns.run(exportId, () => revokeAccess(call, this.#tools, exportId));
  }

  async extendExport(
    call: Call,
    { exportId, volume }: { readonly exportId: string; readonly volume: BackendVolume<Kind> },
  ): Promise<{ readonly sizeBytes: number }> {
    requireExportId(exportId);
    return { sizeBytes: await this.#turns.run(exportId, () => extendExport(call, this.#tools, exportId, volume)) };
  }

  async check(call: Call): Promise<readonly string[]> {
    const faults = await Promise.all([this.#blade(call), this.#interface(call)]);
    return faults.flat();
  }

  async #ensure(call: Call, request: ExportRequest<Kind>, seen: readonly RunningBlade[]): Promise<void> {
    const wanted = wantedExport(request, this.#settings);
    await this.#turns.run(wanted.exportId, () => makeExport(call, this.#tools, wanted, seen));
  }

  /** vblade without arguments shows its usage. */
  async #blade(call: Call): Promise<readonly string[]> {
    try {
      await this.#tools.commands.run(call, 'showUsage', {}, { okExitCodes: [usageExit] });
      return [];
    } catch (error) {
      return [mapExporterError(error).message];
    }
  }

  async #interface(call: Call): Promise<readonly string[]> {
    const { interface: netif } = this.#settings;
    try {
      const state = (await this.#tools.commands.run(call, 'showInterface', { interface: netif })).stdout.trim();
      return state === 'down' ? [`The network interface ${netif} is down: vblade ends when it has none. Set it up.`] : [];
    } catch (error) {
      if (isVbsError(error) && error.code !== 'INTERNAL') return [error.message];
      return [`There is no network interface ${netif}.`];
    }
  }
}

function connectionOf(address: AoeAddress, serial: string): ConnectionInfo<'aoe'> {
  const { shelf, slot } = address;
  return { protocol: 'aoe', key: keyOf(address), shelf, slot, serial };
}

function listed({ exportId, serial, blade }: RunningBlade | RevokedExport): TargetExport<'aoe'> {
  return {
    exportId,
    connection: connectionOf(blade, serial),
    access: blade.readOnly ? 'read-only' : 'read-write',
    ...(blade.sectors === undefined ? {} : { sizeBytes: blade.sectors * sectorBytes }),
  };
}
