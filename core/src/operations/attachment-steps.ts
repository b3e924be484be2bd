import type { Call } from '../contract/call.js';
import type { Access, ChapCredentials, ConnectionInfo, DeviceSource } from '../contract/connection.js';
import { isSecret } from '../contract/secret.js';
import type { ExportRequest } from '../contract/target-exporter.js';
import type { BackendVolume } from '../contract/volume-backend.js';
import { isVbsError, VbsError } from '../errors.js';
import { serialOf } from '../model/ids.js';
import { PendingEffect } from '../workflow/fenced.js';
import type { ChangeStep, Check } from '../workflow/step.js';
import type { GuardedResource } from '../workflow/workflow.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';
import { removalStep } from './removal-step.js';

/** All that the steps of one attachment need; it survives JSON and holds no secret. */
export interface AttachmentPath {
  readonly attachmentId: string;
  readonly volume: BackendVolume;
  readonly exportId: string;
  readonly exporter: string;
  readonly access: Access;
  /** Who may connect, where the exporter has an access list. */
  readonly initiators: readonly string[] | null;
  readonly address: number | null;
  readonly node: string;
  /** Null when the hypervisor opens the protocol itself. */
  readonly initiator: string | null;
  readonly vmKey: string;
  readonly slot: string;
}

/** What an attachment gains on its way into the VM. */
export interface AttachmentOutput {
  readonly connection: ConnectionInfo;
  readonly source: DeviceSource;
  /** The connection was found, and no answer of `connect` said that it is the right one (safety E2). */
  readonly unverified: boolean;
  /** What a forced detach could not do, a sentence each. */
  readonly remains: readonly string[];
}

/** An attachment that was made before: the path, and what came of it. */
export interface KnownAttachment {
  readonly path: AttachmentPath;
  readonly connection: ConnectionInfo | null;
  readonly source: DeviceSource | null;
  /** Of the node when the disk came into the VM. */
  readonly bootId: string | null;
}

type Steps<P> = ChangeStep<P, AttachmentOutput>;

/** The steps between a volume and a VM's slot, in either direction, for operations whose params lead to an {@link AttachmentPath}. */
export class AttachmentSteps {
  readonly #instances: Instances;
  readonly #chap: ChapSecrets;

  constructor(instances: Instances, chap: ChapSecrets) {
    this.#instances = instances;
    this.#chap = chap;
  }

  instanceNames({ exporter, node, initiator }: AttachmentPath): string[] {
    return [exporter, this.#instances.node(node).hypervisor.name, ...(initiator === null ? [] : [initiator])];
  }

  guards({ exportId, exporter, attachmentId, node }: AttachmentPath): readonly GuardedResource[] {
    return [
      { instance: exporter, resourceId: exportId },
      { instance: node, resourceId: attachmentId },
    ];
  }

  exportRequest(path: AttachmentPath): ExportRequest {
    const { exportId, volume, access, address, initiators } = path;
    return {
      exportId,
      volume,
      access,
      serial: serialOf(volume.id),
      ...(address === null ? {} : { address }),
      ...(initiators === null ? {} : { initiators }),
      ...this.#credentials(path),
    };
  }

  /** Everything between a volume and its place in the VM; a hypervisor that opens the protocol itself needs no connection before. */
  forward<P>({ initiator }: AttachmentPath, pathOf: (params: P) => AttachmentPath): Steps<P>[] {
    return [...(initiator === null ? [] : [this.connect(pathOf, initiator)]), this.attachDevice(pathOf)];
  }

  /** The way back, up to the export. */
  release<P>({ initiator }: AttachmentPath, of: (params: P) => KnownAttachment): Steps<P>[] {
    return [this.detachDevice(of), ...(initiator === null ? [] : [this.disconnect(of, initiator)])];
  }

  createExport<P>(pathOf: (params: P) => AttachmentPath): Steps<P> {
    return {
      name: 'create-export',
      changes: true,
      do: async ({ call, params }) => {
        const path = pathOf(params);
        return exported(path, await this.#exporter(path).createExport(call, this.exportRequest(path)));
      },
      check: async ({ call, params }) => {
        const path = pathOf(params);
        const found = await this.#findExport(call, path);
        return found === undefined ? 'absent' : { present: exported(path, found.connection) };
      },
      undo: async ({ call, params }) => {
        const path = pathOf(params);
        await this.#exporter(path).deleteExport(call, { exportId: path.exportId });
      },
    };
  }

  /** Makes an export again that a daemon, or this process's predecessor, lost. */
  ensureExport<P>(pathOf: (params: P) => AttachmentPath): Steps<P> {
    const create = this.createExport(pathOf);
    return {
      ...create,
      name: 'ensure-export',
      undo: 'irreversible',
      do: async (context) => {
        const path = pathOf(context.params);
        await this.#exporter(path).ensureExports(context.call, { exports: [this.exportRequest(path)] });
        const seen = await create.check(context);
        if (typeof seen !== 'string') return seen.present;
        throw new VbsError('UNAVAILABLE', `${path.exporter} did not make the export ${path.exportId} again`, { resource: path.exportId });
      },
    };
  }

  connect<P>(pathOf: (params: P) => AttachmentPath, initiator: string): Steps<P> {
    return {
      name: 'connect',
      changes: true,
      do: async ({ call, params, output }) => {
        return await this.#connect(call, pathOf(params), initiator, output.connection);
      },
      check: async ({ call, params, output }) => {
        if (output.connection === undefined) return 'absent';
        const found = await this.#findConnection(call, pathOf(params).node, initiator, output.connection);
        return found === undefined ? 'absent' : { present: { source: { kind: 'block', path: found.devicePath }, unverified: true } };
      },
      undo: async ({ call, params, output }) => {
        const { attachmentId, node } = pathOf(params);
        await this.#initiator(node, initiator).disconnect(call, { attachmentId, connection: required(output.connection, 'connection') });
      },
    };
  }

  attachDevice<P>(pathOf: (params: P) => AttachmentPath): Steps<P> {
    return {
      name: 'attach-device',
      changes: true,
      do: async ({ call, params, output }) => {
        const path = pathOf(params);
        const { attachmentId, node, initiator, vmKey, slot, access, volume } = path;
        // Connecting again compares the device with the volume, and changes nothing where it is the right one.
        const found =
          initiator !== null && output.unverified === true ? await this.#connect(call, path, initiator, output.connection) : output;
        const source = this.#sourceWithCredentials(path, required(found.source, 'source'));
        await this.#hypervisor(node).attachDevice(call, {
          attachmentId,
          vm: vmKey,
          slot,
          source,
          access,
          sizeBytes: volume.sizeBytes,
          serial: serialOf(volume.id),
        });
        return { source: required(found.source, 'source'), unverified: false };
      },
      check: async ({ call, params, output }) => this.#deviceIsThere(call, pathOf(params), output.source),
      undo: async ({ call, params, output }) => this.#detach(call, pathOf(params), required(output.source, 'source')),
    };
  }

  detachDevice<P>(of: (params: P) => KnownAttachment): Steps<P> {
    return {
      name: 'detach-device',
      changes: true,
      do: async ({ call, params }) => {
        const { path, source } = of(params);
        if (source !== null) await this.#detach(call, path, source);
        else await this.#requireEmptySlot(call, path);
        return {};
      },
      check: async ({ call, params }) => {
        const { path, source } = of(params);
        return await this.#deviceIsOut(call, path, source);
      },
      undo: 'irreversible',
    };
  }

  disconnect<P>(of: (params: P) => KnownAttachment, initiator: string): Steps<P> {
    return removalStep({
      name: 'disconnect',
      remove: async ({ call, params }) => {
        const { path, connection } = of(params);
        const { attachmentId, node } = path;
        if (connection !== null) await this.#initiator(node, initiator).disconnect(call, { attachmentId, connection });
      },
      isThere: async ({ call, params }) => {
        const { path, connection } = of(params);
        return connection !== null && (await this.#findConnection(call, path.node, initiator, connection)) !== undefined;
      },
    });
  }

  deleteExport<P>(of: (params: P) => KnownAttachment): Steps<P> {
    return removalStep({
      name: 'delete-export',
      remove: ({ call, params }) => {
        const { path } = of(params);
        return this.#exporter(path).deleteExport(call, { exportId: path.exportId });
      },
      isThere: async ({ call, params }) => (await this.#findExport(call, of(params).path)) !== undefined,
    });
  }

  /** Shuts everybody out of an export (safety F3); it is there as long as nobody is connected. */
  revokeAccess<P>(of: (params: P) => KnownAttachment): Steps<P> {
    return {
      name: 'revoke-access',
      changes: true,
      do: async ({ call, params }) => {
        const { path } = of(params);
        try {
          await this.#exporter(path).revokeAccess(call, { exportId: path.exportId });
        } catch (error) {
          // An export that is gone (its process ended, or it was removed before) lets nobody in.
          const isGone = isVbsError(error) && error.code === 'NOT_FOUND' && (await this.#findExport(call, path)) === undefined;
          if (!isGone) throw error;
        }
        return {};
      },
      // Nobody connected now does not mean that nobody may connect: only the call itself says that, and repeating it is harmless.
      check: async () => 'absent',
      undo: 'irreversible',
    };
  }

  /** What an exporter's chap, and whoever connects to it, is given at each call, and the journal never sees (safety E5). */
  #credentials({ exporter, exportId }: AttachmentPath): { readonly chap?: ChapCredentials } {
    return this.#instances.exporter(exporter).capabilities.has('chap') ? { chap: this.#chap.of(exportId) } : {};
  }

  #sourceWithCredentials(path: AttachmentPath, source: DeviceSource): DeviceSource {
    if (source.kind === 'block') return source;
    return { kind: 'connection', connection: { ...source.connection, ...this.#credentials(path) } };
  }

  /** @throws FAILED_PRECONDITION: the device has another size or serial; it was disconnected again. */
  async #connect(
    call: Call,
    path: AttachmentPath,
    initiator: string,
    told: ConnectionInfo | undefined,
  ): Promise<Partial<AttachmentOutput>> {
    const { attachmentId, node, volume, access } = path;
    const connection = { ...required(told, 'connection'), ...this.#credentials(path) };
    const request = { attachmentId, connection, sizeBytes: volume.sizeBytes, access };
    const { devicePath } = await this.#initiator(node, initiator).connect(call, request);
    return { source: { kind: 'block', path: devicePath }, unverified: false };
  }

  async #detach(call: Call, { attachmentId, node, vmKey, slot }: AttachmentPath, source: DeviceSource): Promise<void> {
    const { result } = await this.#hypervisor(node).detachDevice(call, { attachmentId, vm: vmKey, slot, source });
    if (result === 'detached') return;
    const busy = new VbsError('FAILED_PRECONDITION', `the guest ${vmKey} has not let go of ${slot}; unmount it there and detach again`, {
      context: { reason: 'guest-busy', vm: vmKey, slot, result },
    });
    throw result === 'requested' ? new PendingEffect(busy) : busy;
  }

  /** Without a source nothing was put into the slot by this attachment; whose disk is there then, nobody knows. */
  async #requireEmptySlot(call: Call, path: AttachmentPath): Promise<void> {
    if ((await this.#inSlot(call, path)) === undefined) return;
    const { vmKey, slot } = path;
    throw new VbsError('FAILED_PRECONDITION', `${slot} of ${vmKey} holds a disk of which nothing tells whose it is; look there`, {
      context: { vm: vmKey, slot },
    });
  }

  async #deviceIsThere(call: Call, path: AttachmentPath, source: DeviceSource | undefined): Promise<Check<AttachmentOutput>> {
    const inSlot = await this.#inSlot(call, path);
    if (inSlot === undefined) return 'absent';
    if (inSlot.source === undefined || source === undefined || inSlot.state === 'changing') return 'unclear';
    return sameSource(inSlot.source, source) ? { present: {} } : 'absent';
  }

  /**
   * A disk of ours on its way out is not out: some hypervisors let go of it only when they are asked again, and all of them look first. One
   * that is out may have left its password with the hypervisor.
   */
  async #deviceIsOut(call: Call, path: AttachmentPath, source: DeviceSource | null): Promise<Check<AttachmentOutput>> {
    const inSlot = await this.#inSlot(call, path);
    if (inSlot === undefined) return { present: {}, repeatUnlessAnswered: true };
    if (inSlot.source === undefined || source === null) return 'unclear';
    return sameSource(inSlot.source, source) ? 'absent' : { present: {} };
  }

  async #inSlot(call: Call, { node, vmKey, slot }: AttachmentPath) {
    return (await this.#hypervisor(node).listDevices(call)).find((device) => device.vm === vmKey && device.slot === slot);
  }

  async #findExport(call: Call, path: AttachmentPath) {
    return (await this.#exporter(path).listExports(call)).find(({ exportId }) => exportId === path.exportId);
  }

  async #findConnection(call: Call, node: string, initiator: string, connection: ConnectionInfo) {
    return (await this.#initiator(node, initiator).listConnections(call)).find((found) => found.connection.key === connection.key);
  }

  #exporter({ exporter }: AttachmentPath) {
    return this.#instances.exporter(exporter).contract;
  }

  #initiator(node: string, name: string) {
    return this.#instances.initiator(node, name).contract;
  }

  #hypervisor(node: string) {
    return this.#instances.node(node).hypervisor.contract;
  }
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new TypeError(`an earlier step left no ${name}`);
  return value;
}

/** What an export gives to the steps after it: without an initiator on the way, the hypervisor opens the connection itself. */
function exported({ initiator }: AttachmentPath, told: ConnectionInfo): Partial<AttachmentOutput> {
  const connection = withoutSecrets(told);
  return initiator === null ? { connection, source: { kind: 'connection', connection } } : { connection };
}

/** Whether two sources lead to the same disk. */
export function sameSource(one: DeviceSource, other: DeviceSource): boolean {
  if (one.kind === 'block') return other.kind === 'block' && one.path === other.path;
  return (
    other.kind === 'connection' && one.connection.protocol === other.connection.protocol && one.connection.key === other.connection.key
  );
}

/** Plain data without its secrets, as it may be journalled and shown. */
export function withoutSecrets<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, item]) => !isSecret(item));
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutSecrets(item)])) as T;
}
