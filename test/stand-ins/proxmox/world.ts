import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Tools } from '../frame/tool.js';
import { parseDrive } from './drive-text.js';
import { oldQm } from './old-qm.js';
import { qm } from './qm.js';
import { Refusal } from './refusal.js';
import { VmConfig } from './vm-config.js';

/** What QEMU has of a disk. */
interface PluggedDisk {
  readonly path: string;
  readonly readOnly: boolean;
}

/** The process of a VM that runs, and how its guest behaves. */
export interface RunningVm {
  readonly plugged: Map<string, PluggedDisk>;
  /** Slots whose disk the guest does not let go of, and those of them that it was asked for. */
  readonly held: Set<string>;
  readonly asked: Set<string>;
}

export interface NewVm {
  readonly name?: string;
  readonly running?: boolean;
  readonly hotplug?: string;
  readonly uuid?: string | null;
  readonly options?: Readonly<Record<string, string>>;
}

/** A node of a Proxmox VE cluster: its VMs, their configurations as files, devices as files, and the tool qm. */
export class ProxmoxWorld {
  readonly node = 'pve1';
  readonly running = new Map<number, RunningVm>();
  readonly tools: Tools;
  /** Whether qm runs as root. */
  root = true;
  /** VMs whose configuration another process has locked. */
  readonly lockedFiles = new Set<number>();
  readonly #files: string;

  constructor(
    private readonly rootDirectory: string,
    /** 1: of 2010, with its files in /etc/qemu-server, and without hot-plug. */
    readonly version: 9 | 1 = 9,
  ) {
    this.#files = version === 1 ? join(rootDirectory, 'etc/qemu-server') : join(rootDirectory, `etc/pve/nodes/${this.node}/qemu-server`);
    mkdirSync(this.#files, { recursive: true });
    if (version === 9) symlinkSync(`nodes/${this.node}/qemu-server`, join(rootDirectory, 'etc/pve/qemu-server'));
    this.tools = { qm: version === 1 ? oldQm(this) : qm(this) };
  }

  create(vmid: number, { name = `vm${vmid}`, running = true, hotplug, uuid = randomUUID(), options = {} }: NewVm = {}): void {
    const config = new VmConfig();
    config.description = '#a VM of a test%3A scsi9%3A /dev/none\n';
    const all = { boot: 'order=scsi0', memory: '512', name, scsi0: `local-lvm:vm-${vmid}-disk-0,size=4G`, ...options };
    for (const [key, value] of Object.entries(all)) config.current.set(key, value);
    if (uuid !== null && this.version !== 1) config.current.set('smbios1', `uuid=${uuid}`);
    if (hotplug !== undefined) config.current.set('hotplug', hotplug);
    config.tail = '[before]\nmemory: 256\nscsi1: /dev/of-a-snapshot,size=1M\nsnaptime: 1700000000\n';
    this.save(vmid, config);
    if (running) this.start(vmid);
  }

  /** Its file goes, and its number is free. */
  destroy(vmid: number): void {
    this.running.delete(vmid);
    rmSync(this.#file(vmid));
  }

  /** The file moves to another node's folder, and its process with it. */
  migrate(vmid: number): void {
    const other = join(this.rootDirectory, 'etc/pve/nodes/pve2/qemu-server');
    mkdirSync(other, { recursive: true });
    this.running.delete(vmid);
    renameSync(this.#file(vmid), join(other, `${vmid}.conf`));
  }

  /** Applies what is to come, and plugs in all there is. */
  start(vmid: number): void {
    const config = this.load(vmid);
    for (const option of config.pendingDelete) config.current.delete(option);
    for (const [key, value] of config.pending) config.current.set(key, value);
    config.pendingDelete.clear();
    config.pending.clear();
    this.save(vmid, config);
    const vm: RunningVm = { plugged: new Map(), held: new Set(), asked: new Set() };
    this.running.set(vmid, vm);
    for (const [slot, text] of config.current) if (/^(ide|sata|scsi|virtio)\d+$/.test(slot)) this.plug(vmid, slot, text);
  }

  stop(vmid: number): void {
    this.running.delete(vmid);
  }

  plug(vmid: number, slot: string, text: string): void {
    const options = parseDrive(slot, text);
    this.vm(vmid).plugged.set(slot, { path: options.get('file') ?? '', readOnly: options.get('ro') === '1' });
  }

  /** Asks the guest for a disk; false: it has not let go, and may do so at any time. */
  unplug(vmid: number, slot: string): boolean {
    const vm = this.vm(vmid);
    if (!vm.held.has(slot)) {
      vm.plugged.delete(slot);
      return true;
    }
    vm.asked.add(slot);
    return false;
  }

  /** The guest does not let go of a disk, until the answer is called: then QEMU takes out what it was asked for. */
  hold(vmid: number, slot: string): () => void {
    const vm = this.vm(vmid);
    vm.held.add(slot);
    return () => {
      vm.held.delete(slot);
      if (vm.asked.delete(slot)) vm.plugged.delete(slot);
    };
  }

  vm(vmid: number): RunningVm {
    const found = this.running.get(vmid);
    if (found === undefined) throw new TypeError(`VM ${vmid} does not run`);
    return found;
  }

  /** @throws Refusal: there is no such VM. */
  load(vmid: number): VmConfig {
    if (!this.exists(vmid)) throw new Refusal(`Configuration file 'nodes/${this.node}/qemu-server/${vmid}.conf' does not exist`, 2);
    return VmConfig.parse(readFileSync(this.#file(vmid), 'utf8'));
  }

  save(vmid: number, config: VmConfig): void {
    writeFileSync(this.#file(vmid), config.print());
  }

  exists(vmid: number): boolean {
    return this.vmids().includes(vmid);
  }

  vmids(): readonly number[] {
    return readdirSync(this.#files)
      .map((name) => Number(name.replace('.conf', '')))
      .sort((one, other) => one - other);
  }

  /** Every slot of every VM with what it has, what it is to have, and what QEMU has. */
  state(): readonly string[] {
    return this.vmids().flatMap((vmid) => {
      const { plugged } = this.running.get(vmid) ?? { plugged: new Map<string, PluggedDisk>() };
      const told = this.load(vmid)
        .entries()
        .filter(({ key }) => /^(ide|sata|scsi|virtio|unused)\d+$/.test(key))
        .map((entry) => `${vmid} ${JSON.stringify(entry)}`);
      return [...told, ...[...plugged].map(([slot, { path }]) => `${vmid} plugged ${slot} ${path}`).sort()];
    });
  }

  addDevice(path: string, sizeBytes: number): void {
    mkdirSync(dirname(this.real(path)), { recursive: true });
    writeFileSync(this.real(path), '');
    truncateSync(this.real(path), sizeBytes);
  }

  removeDevice(path: string): void {
    rmSync(this.real(path), { force: true });
  }

  /** Undefined where there is none. */
  deviceSize(path: string): number | undefined {
    return statSync(this.real(path), { throwIfNoEntry: false })?.size;
  }

  /** What the programs of a guest see in a slot. @throws where there is no disk. */
  disk(vmid: number, slot: string) {
    const there = (): PluggedDisk => {
      const disk = this.running.get(vmid)?.plugged.get(slot);
      if (disk === undefined || this.deviceSize(disk.path) === undefined) throw new Error(`ENXIO: VM ${vmid} has no ${slot}`);
      return disk;
    };
    const { path } = there();
    return {
      sizeBytes: this.deviceSize(path) ?? 0,
      read: async (offset: number, length: number) => await this.read(there().path, offset, length),
      write: async (offset: number, bytes: Uint8Array) => {
        if (there().readOnly) throw new Error(`EROFS: ${slot} is read-only`);
        await this.write(there().path, offset, bytes);
      },
      flush: async () => void there(),
    };
  }

  async read(path: string, offset: number, length: number): Promise<Buffer> {
    const file = await open(this.real(path), 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    const file = await open(this.real(path), 'r+');
    try {
      await file.write(bytes, 0, bytes.length, offset);
    } finally {
      await file.close();
    }
  }

  private real(path: string): string {
    return join(this.rootDirectory, path);
  }

  #file(vmid: number): string {
    return join(this.#files, `${vmid}.conf`);
  }
}
