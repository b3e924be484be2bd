import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Dom0Device, Dom0Devices } from '../../stand-ins/xen/devices.js';

/** Dom0's devices as its kernel has them: those that an initiator brings, beside its own. */
export class KernelDevices extends Dom0Devices {
  /** By path, `/dev/sdb`. */
  readonly #brought = new Map<string, Dom0Device>();

  /** Shows by number what has come; what has gone is dead to whoever has it open. */
  notice(): void {
    const names = readdirSync(join(this.root, 'sys/block')).map((name) => [name, `/dev/${name.replaceAll('!', '/')}`] as const);
    const there = new Map(names.flatMap(([name, path]) => this.#deviceOf(name, path)));
    for (const [path, device] of this.#brought) {
      if (there.get(path) === device) continue;
      device.dead = true;
      this.#brought.delete(path);
      rmSync(this.#byNumber(device), { force: true });
    }
    for (const [path, device] of there) {
      if (this.#brought.has(path)) continue;
      this.#brought.set(path, device);
      symlinkSync(`../../block/${path.slice('/dev/'.length).replaceAll('/', '!')}`, this.#byNumber(device));
    }
  }

  override find(path: string): Dom0Device | 'file' | 'directory' | undefined {
    let at = path;
    const isLink = (): boolean => lstatSync(join(this.root, at), { throwIfNoEntry: false })?.isSymbolicLink() === true;
    // The node of a device that was brought is a link too: to its bytes.
    while (!this.#brought.has(at) && isLink()) at = resolve(dirname(at), readlinkSync(join(this.root, at)));
    return this.#brought.get(at) ?? super.find(path);
  }

  /** None for what has no number: a disk that is there for its name alone, or one that is going at this moment. */
  #deviceOf(name: string, path: string): [path: string, device: Dom0Device][] {
    const known = this.#brought.get(path);
    try {
      const file = readlinkSync(join(this.root, path));
      if (known?.file === file) return [[path, known]];
      const text = (attribute: string): string => readFileSync(join(this.root, 'sys/block', name, attribute), 'utf8').trim();
      const [major = 0, minor = 0] = text('dev').split(':').map(Number);
      return [[path, { path, file, major, minor, readOnly: text('ro') === '1', dead: false, mounted: undefined }]];
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #byNumber({ major, minor }: Dom0Device): string {
    return join(this.root, `sys/dev/block/${major}:${minor}`);
  }
}
