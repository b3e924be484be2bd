import { VbsError } from '@vbs/core';

const pieceBytes = 4096;

/** An export in memory. */
export class MemoryTarget {
  bytes: Buffer;
  alive = true;
  deaths = 0;
  refuses = false;

  constructor(
    readonly iqn: string,
    readonly lun: number,
    readonly serial: string,
    readonly password: string,
    readonly readOnly: boolean,
    sizeBytes: number,
  ) {
    this.bytes = Buffer.alloc(sizeBytes);
  }

  get key(): string {
    return `${this.iqn}/${this.lun}`;
  }

  read(offset: number, length: number): Buffer {
    this.#requireAlive();
    return Buffer.from(this.bytes.subarray(offset, offset + length));
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#requireAlive();
    if (this.readOnly) throw new Error('EIO: the target is write-protected');
    this.bytes.set(bytes, offset);
  }

  grow(sizeBytes: number): void {
    this.bytes = Buffer.concat([this.bytes, Buffer.alloc(sizeBytes - this.bytes.length)]);
  }

  #requireAlive(): void {
    if (!this.alive) throw new Error('EIO: the target does not answer');
  }
}

/** A block device with a cache that is written back when it is flushed. */
export class MemoryDevice {
  holders = 0;
  readonly #dirty = new Map<number, Buffer>();

  constructor(
    readonly target: MemoryTarget,
    public sizeBytes: number,
    /** As the kernel names it, in the order of discovery. */
    readonly kernelName: string,
  ) {}

  get path(): string {
    return `/dev/disk/by-path/memory-${this.target.iqn}-lun-${this.target.lun}`;
  }

  read(offset: number, length: number): Buffer {
    this.#requireWithin(offset, length);
    const bytes = this.target.read(offset, length);
    for (const [at, piece] of this.#dirty) {
      const from = Math.max(at, offset);
      const to = Math.min(at + piece.length, offset + length);
      if (from < to) piece.copy(bytes, from - offset, from - at, to - at);
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#requireWithin(offset, bytes.length);
    if (this.target.readOnly) throw new Error('EPERM: the device is read-only');
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      this.#dirty.delete(offset + at);
      this.#dirty.set(offset + at, Buffer.from(bytes.subarray(at, at + pieceBytes)));
    }
  }

  flush(): void {
    for (const [offset, piece] of this.#dirty) this.target.write(offset, piece);
    this.#dirty.clear();
  }

  #requireWithin(offset: number, length: number): void {
    if (offset + length > this.sizeBytes) throw new Error('ENOSPC: behind the end of the device');
  }
}

/** The kernel of a node, and the network that it is on. */
export class MemoryNode {
  readonly name = 'iqn.2009-01.example:node1';
  readonly targets = new Map<string, MemoryTarget>();
  readonly devices = new Map<string, MemoryDevice>();

  login(key: string, password: string | undefined): MemoryDevice {
    const target = this.targets.get(key);
    if (target?.alive !== true) throw new VbsError('UNAVAILABLE', `the target ${key} does not answer`);
    if (target.refuses || target.password !== password) throw new VbsError('PERMISSION_DENIED', `the target ${key} refuses this node`);
    const taken = [...this.devices.values()].map((device) => device.kernelName);
    const kernelName = ['sda', 'sdb', 'sdc', 'sdd', 'sde', 'sdf', 'sdg', 'sdh', 'sdi', 'sdj'].find((name) => !taken.includes(name));
    if (kernelName === undefined) throw new Error('ENODEV: this node has room for ten devices');
    const device = new MemoryDevice(target, target.bytes.length, kernelName);
    this.devices.set(key, device);
    return device;
  }

  device(path: string): MemoryDevice {
    for (const device of this.devices.values()) {
      if (device.path === path || `/dev/${device.kernelName}` === path) return device;
    }
    throw new Error(`ENOENT: ${path}`);
  }
}
