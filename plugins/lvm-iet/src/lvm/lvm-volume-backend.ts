import {
  type BackendCloneRequest,
  type BackendSnapshot,
  type BackendVolume,
  type BackendVolumeRequest,
  type Call,
  type Capacity,
  type Instance,
  type Lifecycle,
  OneAtATime,
  type PopulateVolumeRequest,
  VbsError,
  type VolumeBackend,
  type VolumeBackendTraits,
} from '@vbs/core';
import { checkPool, requireAutoextend } from './check-pool.js';
import type { LvmCommands } from './commands.js';
import type { LvmConfig } from './config.js';
import { Contents } from './contents.js';
import { Lvm } from './lvm.js';
import { LvmPool } from './pool.js';
import { removeLv, removeVolume } from './remove.js';
import { requireId, requireSize } from './requests.js';
import { settingsOf } from './settings.js';
import { createSnapshot, populateVolume } from './snapshots.js';
import { cloneVolume, createVolume, extendVolume } from './volumes.js';

export const lvmCapabilities = ['snapshot', 'live-snapshot', 'instant-clone', 'extend', 'thin'] as const;
type Capability = (typeof lvmCapabilities)[number];
type Contract = VolumeBackend<Capability, 'block'> & VolumeBackendTraits & Lifecycle<Capability>;
type Volume = BackendVolume<'block'>;

/** Of all instances of this process: two of one pool must not make one volume at once. */
const turns = new OneAtATime();

/** Volumes that are logical volumes of one volume group: thick, or thin where a thin pool is configured. */
export class LvmVolumeBackend implements Contract {
  readonly granularityBytes: number;
  readonly snapshotKind: 'independent' | 'needs-volume';
  readonly capabilities: ReadonlySet<Capability>;
  readonly #pool: LvmPool;

  private constructor(pool: LvmPool, granularityBytes: number) {
    const thin = pool.lvm.settings.thinPool !== undefined;
    this.#pool = pool;
    this.granularityBytes = granularityBytes;
    this.snapshotKind = thin ? 'independent' : 'needs-volume';
    this.capabilities = new Set(thin ? lvmCapabilities : (['snapshot', 'live-snapshot', 'extend'] as const));
  }

  /**
   * Looks at the group, and marks it where the store is the first to use it.
   * @throws CONFIG_INVALID. FAILED_PRECONDITION: the group is another's; the thin pool cannot be used; LVM is not installed. UNAVAILABLE:
   * the group, its pool or its mark is not there.
   */
  static async open(instance: Instance<LvmConfig, 'any', LvmCommands>, call: Call): Promise<LvmVolumeBackend> {
    const settings = settingsOf(instance.name, instance.config);
    const lvm = new Lvm(instance.commands, settings, instance.machine.name, instance.log);
    await requireAutoextend(call, lvm, instance.name);
    const pool = new LvmPool(lvm, instance.store, instance.name);
    const { group } = await pool.open(call);
    return new LvmVolumeBackend(pool, group.extentBytes);
  }

  /** A thick volume is zeroed whole, which takes its time; a thin one is one command. */
  async createVolume(call: Call, request: BackendVolumeRequest): Promise<Volume> {
    requireId('volume', request.id);
    requireSize(request.sizeBytes, this.granularityBytes);
    return await this.#alone(call, request.id, (contents) => createVolume(call, this.#pool, contents, request));
  }

  async deleteVolume(call: Call, { id }: { readonly id: string }): Promise<void> {
    requireId('volume', id);
    await this.#alone(call, id, async (contents) => {
      const lv = contents.ownLv(id);
      if (lv === undefined) return;
      const dependants = contents.dependants(id);
      if (dependants.length > 0) {
        const message = `${id} has classic snapshots, which would go with it: delete ${dependants.join(', ')} first.`;
        throw new VbsError('FAILED_PRECONDITION', message, { resource: id, context: { dependants } });
      }
      await removeVolume(call, this.#pool, contents, lv);
    });
  }

  async listVolumes(call: Call): Promise<readonly Volume[]> {
    return (await this.#contents(call)).volumes();
  }

  /** Of a thin pool, `availableBytes` is what nothing was written to yet. */
  async getCapacity(call: Call): Promise<Capacity> {
    const contents = await this.#contents(call);
    const { group, thinPool } = contents.view;
    const provisionedBytes = contents.provisionedBytes();
    if (thinPool === undefined) return { totalBytes: group.sizeBytes, availableBytes: group.freeBytes, provisionedBytes };
    const usedPercent = thinPool.dataPercent ?? 0;
    const availableBytes = Math.floor((thinPool.sizeBytes * (100 - usedPercent)) / 100);
    return { totalBytes: thinPool.sizeBytes, availableBytes, provisionedBytes };
  }

  async markEpoch(call: Call, { epoch }: { readonly epoch: number }): Promise<{ readonly epoch: number }> {
    const { guard, lvm } = this.#pool;
    return { epoch: await turns.run(`${lvm.machineName}/${guard}`, () => this.#pool.markEpoch(call, epoch)) };
  }

  async createSnapshot(call: Call, request: { readonly id: string; readonly volumeId: string }): Promise<BackendSnapshot> {
    requireId('snapshot', request.id);
    requireId('volume', request.volumeId, 'volumeId');
    return await this.#alone(call, request.id, (contents) => createSnapshot(call, this.#pool, contents, request));
  }

  async deleteSnapshot(call: Call, { id }: { readonly id: string }): Promise<void> {
    requireId('snapshot', id);
    await this.#alone(call, id, async (contents) => {
      if (contents.ownLv(id) !== undefined) await removeLv(call, this.#pool, id);
    });
  }

  async listSnapshots(call: Call): Promise<readonly BackendSnapshot[]> {
    return (await this.#contents(call)).snapshots();
  }

  async populateVolume(call: Call, request: PopulateVolumeRequest): Promise<Volume> {
    requireId('volume', request.id);
    requireId('snapshot', request.snapshotId, 'snapshotId');
    return await this.#alone(call, request.id, (contents) => populateVolume(call, this.#pool, contents, request));
  }

  async cloneVolume(call: Call, request: BackendCloneRequest): Promise<Volume> {
    requireId('volume', request.id);
    requireId('snapshot', request.snapshotId, 'snapshotId');
    requireSize(request.sizeBytes, this.granularityBytes);
    return await this.#alone(call, request.id, (contents) => cloneVolume(call, this.#pool, contents, request));
  }

  /** Also while it is exported: what exports it must be told. */
  async extendVolume(call: Call, { id, sizeBytes }: { readonly id: string; readonly sizeBytes: number }): Promise<Volume> {
    requireId('volume', id);
    requireSize(sizeBytes, this.granularityBytes);
    return await this.#alone(call, id, (contents) => extendVolume(call, this.#pool, contents, id, sizeBytes));
  }

  async check(call: Call): Promise<readonly string[]> {
    return await checkPool(call, this.#pool);
  }

  async #contents(call: Call): Promise<Contents> {
    return new Contents(this.#pool, await this.#pool.see(call));
  }

  /** Acts on what one look shows, while nobody else of this process acts on the same volume or snapshot. */
  async #alone<T>(call: Call, id: string, act: (contents: Contents) => Promise<T>): Promise<T> {
    const { machineName, settings } = this.#pool.lvm;
    return await turns.run(`${machineName}/${settings.volumeGroup}/${id}`, async () => {
      const contents = await this.#contents(call);
      this.#requireWhole(contents);
      return await act(contents);
    });
  }

  /** LVM removes and marks volumes of a group with missing devices, which then come back with other metadata. */
  #requireWhole({ view }: Contents): void {
    if (!view.group.partial) return;
    const { volumeGroup } = this.#pool.lvm.settings;
    const message = `Devices of the volume group ${volumeGroup} are missing, and nothing in it is changed meanwhile: connect them (vgs -o +devices), or take them out of it (vgreduce --removemissing).`;
    throw new VbsError('UNAVAILABLE', message, { context: { volumeGroup } });
  }
}
