import type { BlockStore, Snapshot, Volume } from '@vbs/core';
import type { SandboxVm } from '@vbs/plugin-sandbox';
import { type Report, sha256 } from './report.js';

/** The VMM node of the demo, and its VMs. */
export const vmmHost = 'sandbox';
export const vmIds = ['vm1', 'vm2'] as const;
export type VmId = (typeof vmIds)[number];

export const MiB = 1024 * 1024;
const volumeSize = '64MiB';

/** A VM read other bytes than it should have. */
export class Mismatch extends Error {}

/** What the demo may be told by its tests. */
export interface Hooks {
  /** What a VM has read passes here before it is compared. */
  readonly afterRead?: (bytes: Buffer) => Buffer;
}

/** The store, the VMs and what the integrator does with them, each act one reported step. */
export class Scene {
  readonly report: Report;
  readonly #store: BlockStore;
  readonly #vm: (vmId: VmId) => SandboxVm;
  readonly #hooks: Hooks;
  readonly #signal: AbortSignal;

  constructor(parts: { store: BlockStore; vm: (vmId: VmId) => SandboxVm; report: Report; hooks: Hooks; signal: AbortSignal }) {
    this.report = parts.report;
    this.#store = parts.store;
    this.#vm = parts.vm;
    this.#hooks = parts.hooks;
    this.#signal = parts.signal;
  }

  async createVolume(comment: string, from?: Snapshot): Promise<Volume> {
    const source = from === undefined ? '' : ` from ${from.id}`;
    return this.report.step(
      `create-volume ${volumeSize} "${comment}"${source}`,
      () =>
        this.#store.createVolume({ size: volumeSize, comment, ...(from === undefined ? {} : { snapshotId: from.id }) }, this.#options()),
      ({ id }) => ({ remark: id }),
    );
  }

  async deleteVolume({ id }: Volume): Promise<void> {
    await this.report.step(`delete-volume ${id}`, () => this.#store.deleteVolume({ volumeId: id }, this.#options()));
  }

  async createSnapshot({ id }: Volume, comment: string): Promise<Snapshot> {
    return this.report.step(
      `create-snapshot ${id} "${comment}"`,
      () => this.#store.createSnapshot({ volumeId: id, comment }, this.#options()),
      (snapshot) => ({ remark: snapshot.id }),
    );
  }

  async deleteSnapshot({ id }: Snapshot): Promise<void> {
    await this.report.step(`delete-snapshot ${id}`, () => this.#store.deleteSnapshot({ snapshotId: id }, this.#options()));
  }

  async attach({ id }: Volume, vmId: VmId, device: string): Promise<void> {
    await this.report.step(`attach-volume ${id} ${vmmHost} ${vmId} ${device}`, () =>
      this.#store.attachVolume({ volumeId: id, vmmHost, vmId, device }, this.#options()),
    );
  }

  async detach({ id }: Volume): Promise<void> {
    await this.report.step(`detach-volume ${id}`, () => this.#store.detachVolume({ volumeId: id }, this.#options()));
  }

  /** A program in the VM writes, and flushes. */
  async write(vmId: VmId, device: string, offset: number, bytes: Buffer): Promise<void> {
    const disk = this.#vm(vmId).disk(device);
    await this.report.step(
      `${vmId} writes ${bytes.length / MiB} MiB to ${device}`,
      async () => {
        await disk.write(offset, bytes);
        await disk.flush();
      },
      () => ({ remark: `sha256 ${sha256(bytes).slice(0, 16)} written` }),
    );
  }

  /** A program in the VM reads from the disk's start. @throws Mismatch: it reads anything but the expected bytes. */
  async expect(vmId: VmId, device: string, what: string, expected: Buffer): Promise<void> {
    const disk = this.#vm(vmId).disk(device);
    await this.report.step(
      `${vmId} reads ${what} from ${device}`,
      async () => {
        const read = await disk.read(0, expected.length);
        const hash = sha256(this.#hooks.afterRead?.(read) ?? read);
        if (hash !== sha256(expected)) {
          throw new Mismatch(`${vmId} should read ${what} from ${device}: sha256 ${sha256(expected)}, but read ${hash}.`);
        }
        return hash;
      },
      (hash) => ({ sha256: hash }),
    );
  }

  /** @throws Mismatch: the store still lists something. */
  async expectEmpty(): Promise<void> {
    await this.report.step(
      'describe-volumes, describe-snapshots',
      async () => {
        const [volumes, snapshots] = await Promise.all([this.#store.describeVolumes(), this.#store.describeSnapshots()]);
        const left = [...volumes.items, ...snapshots.items].map(({ id }) => id);
        if (left.length > 0) throw new Mismatch(`Everything was deleted, but the store still lists ${left.join(', ')}.`);
      },
      () => ({ remark: 'none' }),
    );
  }

  #options() {
    return { wait: true, signal: this.#signal } as const;
  }
}
