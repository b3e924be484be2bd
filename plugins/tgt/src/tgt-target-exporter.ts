import {
  type AddressRange,
  type BackendVolume,
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  type Instance,
  isVbsError,
  type Lifecycle,
  type TargetExport,
  type TargetExporter,
  type TargetExporterTraits,
  toVbsError,
} from '@vbs/core';
import { ExportTurns, ensureEach, IscsiNames, requireExportId } from '@vbs/core/exporter-support';
import type { commands } from './commands.js';
import { isWhole, lunOf } from './compare.js';
import type { TgtConfig } from './config.js';
import { Daemon, type Look } from './daemon.js';
import { deleteExport } from './delete-export.js';
import { extendExport } from './extend-export.js';
import { makeExport } from './make-export.js';
import { dataLun } from './names.js';
import type { TgtTarget } from './parse-targets.js';
import { wantedExport } from './requests.js';
import { revokeAccess } from './revoke-access.js';
import { RevokedMarks } from './revoked-marks.js';
import { reachOf, settingsOf, type TgtSettings } from './settings.js';
import { Tgtadm } from './tgtadm.js';
import type { Tools } from './tools.js';

export const tgtCapabilities = ['read-only', 'multi-attach', 'chap', 'acl', 'fence', 'extend'] as const;
type Capability = (typeof tgtCapabilities)[number];
type Kind = 'block' | 'file';
type Contract = TargetExporter<Capability, 'iscsi', Kind> & TargetExporterTraits & Lifecycle<Capability>;
type TgtInstance = Instance<TgtConfig, 'any', typeof commands>;

/** Exports block devices and files over iSCSI by tgtd: one target for each export, with one LUN. */
export class TgtTargetExporter implements Contract {
  readonly reach: 'loopback' | 'network';
  readonly addresses: AddressRange;
  readonly capabilities: ReadonlySet<Capability>;
  readonly #tools: Tools;
  readonly #turns: ExportTurns;

  private constructor(tools: Tools, reach: 'loopback' | 'network') {
    const { settings, machine } = tools;
    this.#tools = tools;
    this.#turns = new ExportTurns((call) => tools.tgtadm.hasChanged(call));
    this.reach = reach;
    this.addresses = { space: `tgt:${machine.name}:${settings.socket}.${settings.control}`, ...settings.tids };
    this.capabilities = new Set(
      tgtCapabilities.filter((name) => (name === 'acl' && !settings.acl ? false : name !== 'chap' || settings.chap)),
    );
  }

  /**
   * Starts an own tgtd, or finds the one that runs. An operator's may be away for now: each call then tells.
   * @throws CONFIG_INVALID. RESOURCE_EXHAUSTED: the port is in use. FAILED_PRECONDITION: tgt is not installed.
   */
  static async open(instance: TgtInstance, call: Call): Promise<TgtTargetExporter> {
    const settings = settingsOf({ ...instance, stateDirectory: await instance.machine.stateDirectory(call) });
    const { machine, name } = instance;
    const tgtadm = new Tgtadm(instance.commands, settings);
    const marks = new RevokedMarks(settings.directory, instance.commands, machine);
    const daemon = new Daemon(settings, { name, machine, commands: instance.commands }, tgtadm, marks);
    const names = new IscsiNames(settings.iqnPrefix, instance.store.id);
    const tools = { settings, names, tgtadm, daemon, marks, commands: instance.commands, machine };
    return new TgtTargetExporter(tools, await reachSeen(call, settings, daemon));
  }

  /**
   * @throws PERMISSION_DENIED: tgtd may not open the volume. FAILED_PRECONDITION: the target id is taken by another target, or another
   * target serves the same path. INVALID_ARGUMENT: no CHAP secret or initiator where the configuration wants them.
   */
  async createExport(call: Call, request: ExportRequest<Kind>): Promise<ConnectionInfo<'iscsi'>> {
    const { settings, names } = this.#tools;
    const wanted = wantedExport(request, settings, names.iqn(request.exportId));
    await this.#turns.run(call, request.exportId, () => makeExport(call, this.#tools, wanted));
    return this.#connection(wanted.iqn, wanted.serial);
  }

  async deleteExport(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    await this.#turns.run(call, exportId, () => deleteExport(call, this.#tools, exportId));
  }

  async listExports(call: Call): Promise<readonly TargetExport<'iscsi'>[]> {
    const { targets } = await this.#tools.daemon.look(call);
    return targets.flatMap((target) => this.#listed(target) ?? []);
  }

  /** Tries every one; the error names all that could not be made, with the code of the first. Starts an own tgtd that does not run. */
  async ensureExports(call: Call, { exports }: { readonly exports: readonly ExportRequest<Kind>[] }): Promise<void> {
    const look = await this.#tools.daemon.look(call);
    await ensureEach(exports, (request) => this.#ensure(call, request, look));
  }

  async revokeAccess(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    await this.#turns.run(call, exportId, () => revokeAccess(call, this.#tools, exportId));
  }

  async extendExport(
    call: Call,
    { exportId, volume }: { readonly exportId: string; readonly volume: BackendVolume<Kind> },
  ): Promise<{ readonly sizeBytes: number }> {
    requireExportId(exportId);
    return { sizeBytes: await this.#turns.run(call, exportId, () => extendExport(call, this.#tools, exportId, volume)) };
  }

  async check(call: Call): Promise<readonly string[]> {
    try {
      await this.#tools.daemon.look(call);
      return [];
    } catch (error) {
      return [toVbsError(error).message];
    }
  }

  async #ensure(call: Call, request: ExportRequest<Kind>, look: Look): Promise<void> {
    const { settings, names } = this.#tools;
    const wanted = wantedExport(request, settings, names.iqn(request.exportId));
    await this.#turns.run(call, request.exportId, () => makeExport(call, this.#tools, wanted, look));
  }

  #listed(target: TgtTarget): TargetExport<'iscsi'> | undefined {
    const exportId = this.#tools.names.exportId(target.iqn);
    const lun = lunOf(target);
    if (exportId === undefined || lun === undefined || !isWhole(target)) return undefined;
    return {
      exportId,
      connection: this.#connection(target.iqn, lun.serial),
      access: lun.readOnly ? 'read-only' : 'read-write',
      sessions: target.sessions.map(({ initiator }) => ({ initiator })),
    };
  }

  #connection(iqn: string, serial: string): ConnectionInfo<'iscsi'> {
    return { protocol: 'iscsi', key: `${iqn}/${dataLun}`, portals: [this.#tools.settings.portal], iqn, lun: dataLun, serial };
  }
}

/** What tgtd listens on; where an operator's tgtd is away, what the portal promises, and the worst of it. */
async function reachSeen(call: Call, settings: TgtSettings, daemon: Daemon): Promise<'loopback' | 'network'> {
  if (settings.daemon === 'own') await daemon.start(call);
  try {
    const { portals } = await daemon.look(call);
    return reachOf(portals.map(({ host }) => host));
  } catch (error) {
    const isAway = isVbsError(error) && (error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED');
    if (settings.daemon === 'own' || !isAway) throw error;
    call.log.warn({ error: error.toJSON() }, 'tgtd does not answer yet');
    return 'network';
  }
}
