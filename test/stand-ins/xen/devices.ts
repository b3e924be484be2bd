import { existsSync, mkdirSync, realpathSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** A block device of Dom0: a file of real bytes. */
export interface Dom0Device {
  readonly path: string;
  readonly file: string;
  readonly major: number;
  readonly minor: number;
  readonly readOnly: boolean;
  /** A SCSI disk whose session has ended: whoever has it open reads nothing more. */
  dead: boolean;
  /** Mounted in Dom0 itself. */
  mounted: 'ro' | 'rw' | undefined;
}

/** Dom0's block devices, under its root, with the kernel's /sys/dev/block. */
export class Dom0Devices {
  readonly #all = new Map<string, Dom0Device>();
  #minors = 0;

  constructor(readonly root: string) {
    mkdirSync(join(root, 'sys/dev/block'), { recursive: true });
    mkdirSync(join(root, 'dev'), { recursive: true });
  }

  add(path: string, { sizeBytes = 0, readOnly = false }: { readonly sizeBytes?: number; readonly readOnly?: boolean } = {}): Dom0Device {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
    const device = { path, file, major: 7, minor: this.#minors++, readOnly, dead: false, mounted: undefined };
    this.#all.set(path, device);
    const folder = this.#folder(device);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'ro'), readOnly ? '1\n' : '0\n');
    return device;
  }

  /** A stable name, as udev gives it. */
  link(path: string, target: string): void {
    const from = join(this.root, path);
    mkdirSync(dirname(from), { recursive: true });
    symlinkSync(relative(dirname(from), join(this.root, target)), from);
  }

  /** As when its iSCSI session is logged out: the name goes, and who has it open keeps what is dead. */
  remove(path: string): void {
    const device = this.#all.get(path);
    if (device === undefined) throw new TypeError(`Dom0 has no ${path}`);
    device.dead = true;
    this.#all.delete(path);
    rmSync(device.file);
    rmSync(this.#folder(device), { recursive: true });
  }

  /** What a path leads to: a device, something else, or nothing. */
  find(path: string): Dom0Device | 'file' | 'directory' | undefined {
    const here = join(this.root, path);
    if (!path.startsWith('/') || !existsSync(here)) return undefined;
    const device = this.#all.get(`/${relative(realpathSync(this.root), realpathSync(here))}`);
    if (device !== undefined) return device;
    return statSync(here).isDirectory() ? 'directory' : 'file';
  }

  #folder({ major, minor }: Dom0Device): string {
    return join(this.root, `sys/dev/block/${major}:${minor}`);
  }
}

export function sizeOf({ file, dead }: Dom0Device): number {
  return dead ? 0 : statSync(file).size;
}

export async function readAt({ file, dead }: Dom0Device, offset: number, length: number): Promise<Buffer> {
  if (dead) return Buffer.alloc(0);
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

export async function writeAt({ file, dead, readOnly }: Dom0Device, offset: number, bytes: Uint8Array): Promise<void> {
  if (dead || readOnly) throw new Error('EIO: I/O error');
  const handle = await open(file, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}
