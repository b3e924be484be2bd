import { closeSync, copyFileSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { lvmFailure } from './options.js';

/** One logical volume of the stand-in. */
export interface StandInLv {
  readonly name: string;
  readonly kind: 'thick' | 'snapshot' | 'thin' | 'thin-pool';
  /** Of a classic snapshot the room for what changes; its device is as large as its origin. */
  sizeBytes: number;
  readonly tags: Set<string>;
  origin: string;
  readonly pool: string;
  active: boolean;
  /** Activation is skipped unless told otherwise. */
  readonly skip: boolean;
  invalid: boolean;
}

export interface WorldOptions {
  readonly root: string;
  readonly group?: string;
  /** 4 MiB unless told. */
  readonly extentBytes?: number;
  readonly extents?: number;
  readonly devices?: readonly string[];
  /** Makes a thin pool of so many extents, with so many more (0 unless told) for its metadata and their spare. */
  readonly thinPool?: { readonly name: string; readonly extents: number; readonly metadataExtents?: number; readonly zero?: boolean };
}

/** What extents hold that another LV had. */
const stale = 0xee;

/** One volume group of LVM in memory; the bytes of its LVs are files, and `/dev/GROUP/LV` leads to those that are active. */
export class LvmWorld {
  readonly root: string;
  readonly group: string;
  readonly extentBytes: number;
  readonly extents: number;
  readonly devices: readonly string[];
  readonly #metadataExtents: number;
  readonly tags = new Set<string>();
  readonly lvs = new Map<string, StandInLv>();
  /** LVs that something holds open. */
  readonly open = new Set<string>();
  readonly lvmconf: Record<string, string> = {
    monitoring: '1',
    snapshot_autoextend_threshold: '100',
    thin_pool_autoextend_threshold: '100',
    scan_lvs: '0',
  };
  /** Of the thin pool, in percent; `check` sets the attribute that asks for a check, `health` is the letter of its failure. */
  readonly poolState = { data: 0, metadata: 10, zero: true, check: false, health: '-' };
  /** A pool is open from its first thin volume on. */
  poolOpen = false;
  missingDevice = false;
  present = true;

  constructor({ root, group = 'vg0', extentBytes = 4 * 1024 * 1024, extents = 256, devices = ['/dev/vdb'], thinPool }: WorldOptions) {
    this.root = root;
    this.group = group;
    this.extentBytes = extentBytes;
    this.extents = extents;
    this.devices = devices;
    this.#metadataExtents = thinPool?.metadataExtents ?? 0;
    for (const folder of [this.#dataFolder, this.#deviceFolder]) mkdirSync(folder, { recursive: true });
    if (thinPool === undefined) return;
    this.poolState.zero = thinPool.zero ?? true;
    const pool = { kind: 'thin-pool', origin: '', pool: '', active: true, skip: false, invalid: false } as const;
    this.lvs.set(thinPool.name, { ...pool, name: thinPool.name, sizeBytes: thinPool.extents * extentBytes, tags: new Set() });
  }

  get freeBytes(): number {
    const taken = [...this.lvs.values()].filter(({ kind }) => kind !== 'thin').reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return (this.extents - this.#metadataExtents) * this.extentBytes - taken;
  }

  /** Whole extents. */
  rounded(bytes: number): number {
    return Math.ceil(bytes / this.extentBytes) * this.extentBytes;
  }

  snapshotsOf(name: string): readonly StandInLv[] {
    return [...this.lvs.values()].filter(({ kind, origin }) => kind === 'snapshot' && origin === name);
  }

  /** An LV for tests, as an operator or another program makes it. */
  make(name: string, sizeBytes: number, tags: readonly string[] = []): StandInLv {
    return this.addThick(name, sizeBytes, tags, true);
  }

  addThick(name: string, sizeBytes: number, tags: readonly string[], zeroStart: boolean): StandInLv {
    const lv = this.#add({
      name,
      kind: 'thick',
      sizeBytes,
      tags: new Set(tags),
      origin: '',
      pool: '',
      active: true,
      skip: false,
      invalid: false,
    });
    this.#fillStale(name, 0, sizeBytes);
    if (zeroStart) this.#write(name, 0, Buffer.alloc(Math.min(4096, sizeBytes)));
    return lv;
  }

  addThin(name: string, sizeBytes: number, tags: readonly string[], pool: string): StandInLv {
    this.poolOpen = true;
    const lv = this.#add({
      name,
      kind: 'thin',
      sizeBytes,
      tags: new Set(tags),
      origin: '',
      pool,
      active: true,
      skip: false,
      invalid: false,
    });
    this.#resize(name, sizeBytes);
    return lv;
  }

  /** A copy of this very moment: Node's other threads write, but none begins a write meanwhile. */
  addSnapshot(
    name: string,
    origin: StandInLv,
    tags: readonly string[],
    options: { readonly roomBytes?: number; readonly skip: boolean },
  ): StandInLv {
    const classic = options.roomBytes !== undefined;
    copyFileSync(this.dataFile(origin.name), this.dataFile(name));
    const lv: StandInLv = {
      name,
      kind: classic ? 'snapshot' : 'thin',
      sizeBytes: options.roomBytes ?? origin.sizeBytes,
      tags: new Set(tags),
      origin: origin.name,
      pool: classic ? '' : origin.pool,
      active: false,
      skip: options.skip,
      invalid: false,
    };
    this.lvs.set(name, lv);
    if (!options.skip) this.activate(lv);
    return lv;
  }

  extend(lv: StandInLv, sizeBytes: number): void {
    if (lv.kind === 'thick') this.#fillStale(lv.name, lv.sizeBytes, sizeBytes);
    else this.#resize(lv.name, sizeBytes);
    lv.sizeBytes = sizeBytes;
  }

  remove(lv: StandInLv): void {
    this.deactivate(lv);
    rmSync(this.dataFile(lv.name), { force: true });
    this.lvs.delete(lv.name);
    for (const other of this.lvs.values()) if (other.origin === lv.name) other.origin = '';
  }

  activate(lv: StandInLv): void {
    lv.active = true;
    if (!existsSync(this.device(lv.name))) symlinkSync(join('..', '..', 'lvm', this.group, lv.name), this.device(lv.name));
  }

  deactivate(lv: StandInLv): void {
    lv.active = false;
    rmSync(this.device(lv.name), { force: true });
  }

  /** As a boot of the machine does. */
  reboot(): void {
    this.open.clear();
    for (const lv of this.lvs.values()) {
      if (lv.kind === 'thin-pool') continue;
      this.deactivate(lv);
      if (!lv.skip) this.activate(lv);
    }
  }

  /** The LV whose device a path of the machine is. */
  lvOfPath(path: string): StandInLv | undefined {
    const start = `/dev/${this.group}/`;
    return path.startsWith(start) ? this.lvs.get(path.slice(start.length)) : undefined;
  }

  device(name: string): string {
    return join(this.#deviceFolder, name);
  }

  dataFile(name: string): string {
    return join(this.#dataFolder, name);
  }

  requirePresent(accepts: (device: string) => boolean): void {
    if (this.present && this.devices.some(accepts)) return;
    throw lvmFailure(`Volume group "${this.group}" not found`, `Cannot process volume group ${this.group}`);
  }

  #add(lv: StandInLv): StandInLv {
    closeSync(openSync(this.dataFile(lv.name), 'w'));
    this.lvs.set(lv.name, lv);
    this.activate(lv);
    return lv;
  }

  #fillStale(name: string, from: number, to: number): void {
    const piece = Buffer.alloc(1024 * 1024, stale);
    for (let at = from; at < to; at += piece.length) this.#write(name, at, piece.subarray(0, Math.min(piece.length, to - at)));
  }

  #write(name: string, offset: number, bytes: Uint8Array): void {
    const file = openSync(this.dataFile(name), 'r+');
    try {
      writeSync(file, bytes, 0, bytes.length, offset);
    } finally {
      closeSync(file);
    }
  }

  #resize(name: string, sizeBytes: number): void {
    const file = openSync(this.dataFile(name), 'r+');
    try {
      // What no file system can hold is as long as it can be: only its size is looked at.
      ftruncateSync(file, Math.min(sizeBytes, 2 ** 40));
    } finally {
      closeSync(file);
    }
  }

  get #dataFolder(): string {
    return join(this.root, 'lvm', this.group);
  }

  get #deviceFolder(): string {
    return join(this.root, 'dev', this.group);
  }
}
