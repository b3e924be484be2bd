import { type Call, type Machine, unlessCode, VbsError } from '@vbs/core';
import { type AoeAddress, addressFromSysfs } from './address.js';

/** A device of the aoe module, as sysfs has it. */
export interface AoeDevice {
  /** `up`, `down`, `down,closewait`, `down,kickme`. */
  readonly state: string;
  readonly sizeBytes: number;
  /** The interfaces on which its target answers. */
  readonly interfaces: readonly string[];
  readonly readOnly: boolean;
  /** `152:0` of the disk and of each of its partitions. */
  readonly numbers: readonly string[];
  /** Names in its own or a partition's `holders`: dm, md, bcache. */
  readonly stackedBy: readonly string[];
}

const sectorBytes = 512;
const readAtOnce = 16;

/** The aoe module's devices, read from sysfs without a command: what `aoe-stat` tells too, whose filter is a regular expression. */
export class AoeDevices {
  constructor(private readonly machine: Machine) {}

  /** @throws FAILED_PRECONDITION: the node's kernel has no aoe module. */
  async requireModule(call: Call): Promise<void> {
    const names = await unlessCode('NOT_FOUND', this.machine.listDirectory(call, '/dev/etherd'));
    if (names?.includes('discover')) return;
    const message =
      'The kernel module aoe is not loaded on this node (there is no /dev/etherd/discover): run "modprobe aoe", and name it in /etc/modules-load.d/vbs.conf.';
    throw new VbsError('FAILED_PRECONDITION', message, { context: { machine: this.machine.name } });
  }

  /** @throws UNAVAILABLE: this node shows no block devices at all, so that nothing said of one would hold. */
  async look(call: Call, { sysfs, key }: AoeAddress): Promise<AoeDevice | undefined> {
    const entries = await unlessCode('NOT_FOUND', this.machine.listDirectory(call, sysfs));
    if (entries === undefined) {
      await this.#names(call);
      return undefined;
    }
    const disks = [sysfs, ...entries.filter((name) => name.startsWith(`etherd!${key}p`)).map((name) => `${sysfs}/${name}`)];
    // One that goes while it is read is not there.
    return await unlessCode('NOT_FOUND', this.#read(call, sysfs, disks));
  }

  /** Every device with its size, also such as are down: each keeps its address until it was flushed. */
  async list(call: Call): Promise<readonly (AoeAddress & { readonly sizeBytes: number })[]> {
    const addresses = (await this.#names(call)).flatMap((name) => addressFromSysfs(name) ?? []);
    const found: (AoeAddress & { readonly sizeBytes: number })[] = [];
    for (let first = 0; first < addresses.length; first += readAtOnce) {
      const read = addresses.slice(first, first + readAtOnce).map(async (address) => {
        const sizeBytes = await unlessCode('NOT_FOUND', this.#size(call, address.sysfs));
        return sizeBytes === undefined ? [] : [{ ...address, sizeBytes }];
      });
      found.push(...(await Promise.all(read)).flat());
    }
    return found;
  }

  async #names(call: Call): Promise<readonly string[]> {
    const names = await unlessCode('NOT_FOUND', this.machine.listDirectory(call, '/sys/block'));
    if (names !== undefined) return names;
    throw new VbsError('UNAVAILABLE', 'This node has no /sys/block: mount sysfs, so that its devices can be seen.', {
      context: { machine: this.machine.name },
    });
  }

  async #read(call: Call, sysfs: string, disks: readonly string[]): Promise<AoeDevice> {
    const text = (path: string): Promise<string> => this.machine.readFile(call, path).then((read) => read.trim());
    const each = <T>(of: (disk: string) => Promise<T>): Promise<T[]> => Promise.all(disks.map(of));
    const [state, sizeBytes, netif, ro, numbers, stackedBy] = await Promise.all([
      text(`${sysfs}/state`),
      this.#size(call, sysfs),
      text(`${sysfs}/netif`),
      text(`${sysfs}/ro`),
      each((disk) => text(`${disk}/dev`)),
      each(async (disk) => (await unlessCode('NOT_FOUND', this.machine.listDirectory(call, `${disk}/holders`))) ?? []),
    ]);
    const interfaces = netif === 'none' ? [] : netif.split(',');
    return { state, sizeBytes, interfaces, readOnly: ro === '1', numbers, stackedBy: stackedBy.flat() };
  }

  async #size(call: Call, sysfs: string): Promise<number> {
    const sectors = (await this.machine.readFile(call, `${sysfs}/size`)).trim();
    if (!/^\d{1,15}$/.test(sectors)) {
      throw new VbsError('INTERNAL', `${sysfs}/size holds ${JSON.stringify(sectors.slice(0, 80))}, which is no number of sectors.`);
    }
    return Number(sectors) * sectorBytes;
  }
}

export function isUp({ state }: AoeDevice): boolean {
  return state === 'up' || state.startsWith('up,');
}

/** A device whose target went while something had it open. */
export function isHeldDown({ state }: AoeDevice): boolean {
  return state.includes('closewait');
}
