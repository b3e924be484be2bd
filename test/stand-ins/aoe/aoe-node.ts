import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Tools } from '../frame/tool.js';
import type { AoeSegment, SegmentExport } from '../vblade/segment.js';
import { aoetools } from './aoetools.js';
import { type How, holdings } from './holdings.js';
import { utilities } from './utilities.js';

export interface NodeInterface {
  readonly name: string;
  readonly mac: string;
  readonly mtu?: number;
}

export interface AoeNodeOptions {
  /** Stands for `/` of the node. */
  readonly root: string;
  readonly segment: AoeSegment;
  readonly interfaces: readonly NodeInterface[];
}

/** A device that the module knows. */
export interface KernelDevice {
  readonly key: string;
  target: SegmentExport;
  netif: string;
  sectors: number;
  state: 'up' | 'down';
  readOnly: boolean;
  opens: number;
}

export const characterDevices = ['discover', 'err', 'flush', 'interfaces', 'revalidate'] as const;
const sysfsOf = (key: string): string => `sys/block/etherd!${key}`;

/**
 * A node with the kernel's aoe module (Linux 6.1) on a segment: sysfs and /dev/etherd under a folder, where a device's node is a link to
 * the file behind its target, so that bytes are real. What vblade tells of itself when it starts is heard, as on a real segment.
 */
export class AoeNode {
  readonly root: string;
  readonly interfaces: readonly NodeInterface[];
  readonly devices = new Map<string, KernelDevice>();
  /** What was taken away while it was open: guests' disks that were lost. */
  readonly lost: string[] = [];
  /** From a target's answer to its device, in milliseconds. */
  discoveryMs = 0;
  /** Frames of targets do not arrive. */
  deaf = false;
  /** vblade's own word at its start does not arrive. */
  missesAnnouncements = false;
  allowed: readonly string[] = [];
  isLoaded = false;
  readonly tools: Tools;
  readonly #segment: AoeSegment;
  readonly #end: () => void;
  #known: ReadonlySet<SegmentExport>;
  /** By key, what files tell of the device. */
  readonly #shown = new Map<string, string>();
  #work: Promise<void> = Promise.resolve();
  #written = 0;

  private constructor({ root, segment, interfaces }: AoeNodeOptions) {
    this.root = root;
    this.interfaces = interfaces;
    this.#segment = segment;
    this.#known = new Set(segment.exports());
    this.#end = segment.onChange(() => this.#heard());
    this.tools = { ...aoetools(this), ...utilities(this) };
  }

  static async make(options: AoeNodeOptions): Promise<AoeNode> {
    const node = new AoeNode(options);
    await node.write('proc/self/mountinfo', '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n');
    await node.write('proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
    await mkdir(join(node.root, 'sys/block/sda'), { recursive: true });
    for (const { name, mac, mtu = 9_000 } of options.interfaces) {
      await node.write(`sys/class/net/${name}/address`, `${mac}\n`);
      await node.write(`sys/class/net/${name}/operstate`, 'up\n');
      await node.write(`sys/class/net/${name}/mtu`, `${mtu}\n`);
    }
    await node.load();
    return node;
  }

  async load(): Promise<void> {
    for (const name of characterDevices) await this.write(`dev/etherd/${name}`, '');
    await this.write('sys/module/aoe/parameters/aoe_iflist', '\n');
    this.isLoaded = true;
  }

  async unload(): Promise<void> {
    this.isLoaded = false;
    this.devices.clear();
    this.#shown.clear();
    await rm(join(this.root, 'dev/etherd'), { recursive: true, force: true });
    await rm(join(this.root, 'sys/module/aoe'), { recursive: true, force: true });
  }

  /** Ends its listening. */
  close(): void {
    this.#end();
  }

  /** Ends when the kernel has done what it was asked. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async write(path: string, text: string): Promise<void> {
    const real = join(this.root, path);
    await mkdir(join(real, '..'), { recursive: true });
    // Whole at once, as sysfs is read.
    const whole = join(this.root, `writing-${++this.#written}`);
    await writeFile(whole, text);
    await rename(whole, real);
  }

  discover(): void {
    for (const target of this.#segment.exports()) this.#answers(target, false);
  }

  /** False: there is no such device. */
  revalidate(key: string): boolean {
    const device = this.devices.get(key);
    if (device === undefined) return false;
    for (const target of this.#targetsOf(key)) this.#answers(target, true);
    return true;
  }

  /** What is written into /dev/etherd/flush: a name is compared as far as what was written goes, and nobody asks who has it open. */
  async flush(written: string): Promise<void> {
    const buffer = written.slice(0, 16);
    const isNamed = written.length >= 3 && !buffer.startsWith('all');
    const isMeant = ({ key, opens, state }: KernelDevice): boolean =>
      isNamed ? isStartOf(buffer, key) : opens === 0 && (buffer.startsWith('all') || state === 'down');
    await this.#next(async () => {
      for (const device of this.devices.values()) if (isMeant(device)) await this.#remove(device);
    });
  }

  async setReadOnly(key: string, readOnly: boolean): Promise<void> {
    const device = this.devices.get(key);
    if (device === undefined) return;
    device.readOnly = readOnly;
    await this.#next(() => this.#show(device));
  }

  /** Whole sectors of a frame, after 36 bytes of headers; two unless MTUs are larger than usual (vblade's scnt is that of its own MTU). */
  get payload(): number {
    const [{ mtu = 9_000 } = {}] = this.interfaces;
    return Math.floor((mtu - 36) / 512) * 512;
  }

  /** Whether I/O on the device ends well. */
  answersNow(key: string): boolean {
    const heard = this.interfaces.filter(({ name }) => this.allowed.length === 0 || this.allowed.includes(name));
    return !this.deaf && this.#targetsOf(key).some((target) => heard.some(({ mac }) => this.#segment.seenBy(mac).includes(target)));
  }

  /** The target does not answer any more, and the kernel has noticed. */
  async goDown(key: string): Promise<void> {
    const device = this.devices.get(key);
    if (device === undefined) throw new TypeError(`the node has no ${key}`);
    device.state = 'down';
    device.sectors = 0;
    await this.#next(() => this.#show(device));
  }

  /** Lets something of the node use a device; answers how it lets go. */
  async hold(key: string, how: How): Promise<() => Promise<void>> {
    const device = this.devices.get(key);
    if (device === undefined) throw new TypeError(`the node has no ${key}`);
    device.opens += 1;
    await this.#next(() => this.#show(device));
    const release = await holdings[how](this.root, key);
    return async () => {
      device.opens -= 1;
      await release();
      await this.#next(async () => {
        if (this.devices.get(key) === device) await this.#show(device);
      });
    };
  }

  #targetsOf(key: string): readonly SegmentExport[] {
    return this.#segment.exports().filter(({ shelf, slot }) => `e${shelf}.${slot}` === key);
  }

  #heard(): void {
    const now = this.#segment.exports();
    const fresh = now.filter((shown) => !this.#known.has(shown));
    this.#known = new Set(now);
    if (this.isLoaded && !this.missesAnnouncements) for (const target of fresh) this.#answers(target, false);
  }

  /** A target tells of itself, where it lets in an interface of this node that the module may use. */
  #answers(target: SegmentExport, evenIfOpen: boolean): void {
    const heard = this.interfaces.find(
      ({ name, mac }) => (this.allowed.length === 0 || this.allowed.includes(name)) && this.#segment.seenBy(mac).includes(target),
    );
    if (heard === undefined || this.deaf) return;
    void this.#next(async () => {
      if (this.discoveryMs > 0) await pause(this.discoveryMs);
      const key = `e${target.shelf}.${target.slot}`;
      const isThere = this.#segment.exports().includes(target);
      const known = this.devices.get(key);
      if (!isThere || !this.isLoaded || (known !== undefined && known.opens > 0 && !evenIfOpen)) return;
      const device: KernelDevice = known ?? { key, target, netif: heard.name, sectors: 0, state: 'up', readOnly: false, opens: 0 };
      Object.assign(device, { target, netif: heard.name, sectors: target.sectors, state: 'up' });
      this.devices.set(key, device);
      await this.#show(device);
    });
  }

  /** One thing after the other. */
  #next(act: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(act);
    return this.#work;
  }

  async #show({ key, target, netif, sectors, state, readOnly, opens }: KernelDevice): Promise<void> {
    // Each discovery is an answer of each target, and nearly always nothing new.
    const shown = JSON.stringify([target.file, netif, sectors, state, readOnly, opens, this.payload]);
    if (this.#shown.get(key) === shown) return;
    this.#shown.set(key, shown);
    const folder = sysfsOf(key);
    const [shelf = 0, slot = 0] = key.slice(1).split('.').map(Number);
    await mkdir(join(this.root, folder, 'holders'), { recursive: true });
    await this.write(`${folder}/size`, `${sectors}\n`);
    await this.write(`${folder}/netif`, `${netif}\n`);
    await this.write(`${folder}/payload`, `${this.payload}\n`);
    await this.write(`${folder}/dev`, `152:${(shelf * 256 + slot) * 16}\n`);
    await this.write(`${folder}/ro`, readOnly ? '1\n' : '0\n');
    await this.write(`${folder}/state`, state === 'up' ? 'up\n' : opens > 0 ? 'down,closewait\n' : 'down\n');
    const link = join(this.root, `writing-${++this.#written}`);
    await symlink(target.file, link);
    await rename(link, join(this.root, 'dev/etherd', key));
  }

  async #remove({ key, opens }: KernelDevice): Promise<void> {
    if (opens > 0) this.lost.push(key);
    this.devices.delete(key);
    this.#shown.delete(key);
    await rm(join(this.root, 'dev/etherd', key), { force: true });
    await rm(join(this.root, sysfsOf(key)), { recursive: true, force: true });
  }
}

/** As strncmp(written, key, length of written). */
function isStartOf(written: string, key: string): boolean {
  const end = written.indexOf('\0');
  return end < 0 ? key.startsWith(written) : key === written.slice(0, end);
}
