import {
  type AddressRange,
  type Call,
  type ConnectionInfo,
  type ExportRequest,
  type Instance,
  type Lifecycle,
  type TargetExport,
  type TargetExporter,
  type TargetExporterTraits,
} from '@vbs/core';
import { ExportTurns, ensureEach, IscsiNames, requireExportId } from '@vbs/core/exporter-support';
import { AccessList } from './access-list.js';
import { ownLine } from './allow-file.js';
import { checkIet } from './check.js';
import type { commands } from './commands.js';
import { isExport } from './compare.js';
import type { IetConfig } from './config.js';
import { deleteExport } from './delete-export.js';
import { Ietadm } from './ietadm.js';
import { makeExport } from './make-export.js';
import { dataLun } from './names.js';
import { Proc, type SeenTarget } from './proc.js';
import { type Kind, wantedExport } from './requests.js';
import { revokeAccess } from './revoke-access.js';
import { settingsOf } from './settings.js';
import { type Look, look, type Tools } from './tools.js';

export const ietCapabilities = ['read-only', 'chap', 'acl', 'fence'] as const;
type Capability = (typeof ietCapabilities)[number];
type Contract = TargetExporter<Capability, 'iscsi', Kind> & TargetExporterTraits & Lifecycle<Capability>;
type IetInstance = Instance<IetConfig, 'any', typeof commands>;

/** Exports block devices and files over iSCSI by IET: one target for each export, with one LUN. */
export class IetTargetExporter implements Contract {
  /** ietd listens on every address of its machine unless its operator told it otherwise, which nothing shows. */
  readonly reach = 'network';
  readonly addresses: AddressRange;
  readonly capabilities: ReadonlySet<Capability>;
  readonly #tools: Tools;
  readonly #turns: ExportTurns;

  private constructor(tools: Tools) {
    const { settings, machine } = tools;
    this.#tools = tools;
    this.#turns = new ExportTurns((call) => tools.ietadm.hasChanged(call) || tools.list.hasChanged(call));
    this.addresses = { space: `iet:${machine.name}`, ...settings.tids };
    this.capabilities = new Set(
      ietCapabilities.filter((name) => (name === 'acl' && !settings.acl ? false : name !== 'chap' || settings.chap)),
    );
  }

  /** Asks nothing of ietd, which may be away for now: each call then tells. @throws CONFIG_INVALID. */
  static async open(instance: IetInstance): Promise<IetTargetExporter> {
    const settings = settingsOf(instance);
    const { machine } = instance;
    const names = new IscsiNames(settings.iqnPrefix, instance.store.id);
    const proc = new Proc(machine);
    const list = new AccessList(settings.initiatorsAllow, machine, names, (call) => proc.volumes(call));
    const ietadm = new Ietadm(instance.commands);
    return new IetTargetExporter({ settings, names, ietadm, proc, list, commands: instance.commands, machine });
  }

  /**
   * @throws FAILED_PRECONDITION: the target id is taken by another target, another target serves the same path, the access list is not
   * there or another line of it would decide, or ietd refuses the volume. INVALID_ARGUMENT: no CHAP secret or initiator where the
   * configuration wants them.
   */
  async createExport(call: Call, request: ExportRequest<Kind>): Promise<ConnectionInfo<'iscsi'>> {
    const wanted = this.#wanted(request);
    await this.#turns.run(call, request.exportId, () => makeExport(call, this.#tools, wanted));
    return this.#connection(wanted.iqn, wanted.lun.serial);
  }

  async deleteExport(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    await this.#turns.run(call, exportId, () => deleteExport(call, this.#tools, exportId));
  }

  /** Nothing is run for it: the kernel and the access list tell all. */
  async listExports(call: Call): Promise<readonly TargetExport<'iscsi'>[]> {
    const { targets, allow } = await look(call, this.#tools);
    return targets.flatMap((target) => this.#listed(target, allow) ?? []);
  }

  /** Tries every one; the error names all that could not be made, with the code of the first. */
  async ensureExports(call: Call, { exports }: { readonly exports: readonly ExportRequest<Kind>[] }): Promise<void> {
    const seen = await look(call, this.#tools);
    await ensureEach(exports, (request) => this.#ensure(call, request, seen));
  }

  async revokeAccess(call: Call, { exportId }: { readonly exportId: string }): Promise<void> {
    requireExportId(exportId);
    await this.#turns.run(call, exportId, () => revokeAccess(call, this.#tools, exportId));
  }

  async check(call: Call): Promise<readonly string[]> {
    return await checkIet(call, this.#tools);
  }

  async #ensure(call: Call, request: ExportRequest<Kind>, seen: Look): Promise<void> {
    const wanted = this.#wanted(request);
    await this.#turns.run(call, request.exportId, () => makeExport(call, this.#tools, wanted, seen));
  }

  #wanted(request: ExportRequest<Kind>): ReturnType<typeof wantedExport> {
    const { settings, names } = this.#tools;
    return wantedExport(request, settings, names.iqn(request.exportId));
  }

  #listed(target: SeenTarget, allow: string): TargetExport<'iscsi'> | undefined {
    const exportId = this.#tools.names.exportId(target.iqn);
    const own = ownLine(allow, target.iqn);
    if (exportId === undefined || own === undefined || !isExport(target, own)) return undefined;
    return {
      exportId,
      connection: this.#connection(target.iqn, own.serial),
      access: own.mode === 'ro' ? 'read-only' : 'read-write',
      sessions: target.sessions.map(({ initiator }) => ({ initiator })),
    };
  }

  #connection(iqn: string, serial: string): ConnectionInfo<'iscsi'> {
    return { protocol: 'iscsi', key: `${iqn}/${dataLun}`, portals: [this.#tools.settings.portal], iqn, lun: dataLun, serial };
  }
}
