import assert from 'node:assert/strict';
import type { Access, AttachDeviceRequest, AttachedDevice, Call, ContractTypes, DeviceRequest } from '@vbs/core';
import { fill, holds, mebibyte, pattern } from '../kit/bytes.js';
import { newId } from '../kit/ids.js';
import type { Scene } from '../kit/scene.js';
import type { Surroundings } from '../kit/setup.js';
import type { AttachableSource, GuestDisk } from './setup.js';

export interface HypervisorStageOptions {
  readonly vms: readonly [string, string];
  readonly devices: readonly [string, string];
  readonly aliases: readonly string[];
  readonly illegalDevices: readonly string[];
  readonly makeSource: (
    surroundings: Surroundings,
    options: { readonly sizeBytes: number; readonly access: Access },
  ) => Promise<AttachableSource>;
  readonly guest: (surroundings: Surroundings, vmId: string, slot: string) => GuestDisk | Promise<GuestDisk>;
  readonly sizeBytes?: number;
}

/** One disk for one slot of one VM. */
export interface Disk {
  readonly vmId: string;
  readonly request: AttachDeviceRequest;
  readonly behind: AttachableSource;
  content: Buffer;
}

export interface DiskOptions {
  /** Which of the two VMs, and which of the two slots. */
  readonly vm?: 0 | 1;
  readonly device?: 0 | 1;
  readonly access?: Access;
}

const epochOfTheEnd = 1_000_000;

/** VMs, slots and the disks in them. */
export class HypervisorStage {
  readonly scene: Scene<'hypervisor'>;
  readonly options: HypervisorStageOptions;
  readonly sizeBytes: number;
  readonly #requests = new Map<string, DeviceRequest>();

  constructor(scene: Scene<'hypervisor'>, options: HypervisorStageOptions) {
    this.scene = scene;
    this.options = options;
    this.sizeBytes = options.sizeBytes ?? mebibyte;
    scene.beforeClose(() => this.#removeAll());
  }

  get hypervisor(): ContractTypes['hypervisor']['contract'] {
    return this.scene.contract;
  }

  call(overrides: Partial<Call> = {}): Call {
    return this.scene.newCall(overrides);
  }

  async key(vmId: string): Promise<string> {
    return (await this.hypervisor.identifyVm(this.call(), { vmId })).key;
  }

  async slot(vm: string, device: string): Promise<string> {
    return (await this.hypervisor.canonicalSlot(this.call(), { vm, device })).slot;
  }

  /** A source full of bytes, and the request that puts it into a slot. */
  async disk({ vm = 0, device = 0, access = 'read-write' }: DiskOptions = {}): Promise<Disk> {
    const vmId = this.options.vms[vm];
    const behind = await this.options.makeSource(this.scene, { sizeBytes: this.sizeBytes, access });
    // Before the hypervisor is closed: what has lifetime process flushes its disks then.
    this.scene.atEnd(() => behind.remove());
    const content = await fill(behind, this.sizeBytes, behind.serial);
    const key = await this.key(vmId);
    const slot = await this.slot(key, this.options.devices[device]);
    const attachmentId = newId('attachment');
    const request = { attachmentId, vm: key, slot, source: behind.source, access, sizeBytes: this.sizeBytes, serial: behind.serial };
    this.#requests.set(attachmentId, request);
    return { vmId, request, behind, content };
  }

  attach({ request }: Disk, overrides: Partial<Call> = {}): Promise<void> {
    return this.hypervisor.attachDevice(this.call(overrides), request);
  }

  async attached(options: DiskOptions = {}): Promise<Disk> {
    const disk = await this.disk(options);
    await this.attach(disk);
    return disk;
  }

  /** As the core asks: no more than a device request has. */
  detach({ request: { attachmentId, vm, slot, source } }: Disk, overrides: Partial<Call> = {}) {
    return this.hypervisor.detachDevice(this.call(overrides), { attachmentId, vm, slot, source });
  }

  async guest({ vmId, request }: Disk): Promise<GuestDisk> {
    return this.options.guest(this.scene, vmId, request.slot);
  }

  async listed({ request }: Disk): Promise<AttachedDevice | undefined> {
    const all = await this.hypervisor.listDevices(this.call());
    const found = all.filter(({ vm, slot }) => vm === request.vm && slot === request.slot);
    assert.ok(found.length <= 1, `listDevices lists ${request.slot} of ${request.vm} ${found.length} times`);
    return found[0];
  }

  /** The guest writes, and it arrives; the guest reads all of it. */
  async worksInGuest(disk: Disk, label = 'by the guest'): Promise<void> {
    const guest = await this.guest(disk);
    const piece = pattern(label, 4096);
    const at = disk.content.length - piece.length;
    await guest.write(at, piece);
    await guest.flush();
    piece.copy(disk.content, at);
    await holds(disk.behind, disk.content, 'what the guest wrote, in the volume');
    await holds(guest, disk.content, "the guest's disk");
  }

  async gone(disk: Disk): Promise<void> {
    assert.equal(await this.listed(disk), undefined, 'the slot is still listed');
    await assert.rejects(async () => (await this.guest(disk)).read(0, 512), 'the guest still reads the disk');
  }

  async #removeAll(): Promise<void> {
    const there = await this.hypervisor.listDevices(this.call());
    for (const { attachmentId, vm, slot, source } of this.#requests.values()) {
      if (!there.some((device) => device.vm === vm && device.slot === slot)) continue;
      const request = { attachmentId, vm, slot, source };
      // The slot may hold another disk of this test, whose own request takes it out.
      await this.hypervisor.detachDevice(this.call({ epoch: epochOfTheEnd }), request).catch((error: unknown) => error);
    }
    const slots = new Set([...this.#requests.values()].map(({ vm, slot }) => `${vm} ${slot}`));
    const left = (await this.hypervisor.listDevices(this.call())).filter(({ vm, slot }) => slots.has(`${vm} ${slot}`));
    assert.deepEqual(left, [], 'what could not be taken out after the test');
  }
}
