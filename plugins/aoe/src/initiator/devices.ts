import { type Call, type Look, type Machine, VbsError } from '@vbs/core';
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
const blockFolder = '/sys/block';
/** A character device that the module makes when it is loaded. */
const discoverNode = '/dev/etherd/discover';

/** The aoe module's devices, read from sysfs without a command: what `aoe-stat` tells too, whose filter is a regular expression. */
export class AoeDevices {
  constructor(private readonly machine: Machine) {}

  /** @throws FAILED_PRECONDITION: the node's kernel has no aoe module. */
  async requireModule(call: Call): Promise<void> {
    this.#requireModule(await this.machine.look(call, [discoverNode]));
  }

  /** @throws UNAVAILABLE: this node shows no block devices at all, so that nothing said of one would hold. */
  async look(call: Call, address: AoeAddress): Promise<AoeDevice | undefined> {
    return this.#device(await this.machine.look(call, devicePatterns(address)), address);
  }

  /** As {@link look}. @throws FAILED_PRECONDITION: as {@link requireModule}. */
  async lookWithModule(call: Call, address: AoeAddress): Promise<AoeDevice | undefined> {
    const look = await this.machine.look(call, [discoverNode, ...devicePatterns(address)]);
    this.#requireModule(look);
    return this.#device(look, address);
  }

  /** Every device with its size, also such as are down: each keeps its address until it was flushed. */
  async list(call: Call): Promise<readonly (AoeAddress & { readonly sizeBytes: number })[]> {
    const sizes = `${blockFolder}/etherd!e*/size`;
    const look = await this.machine.look(call, [blockFolder, sizes]);
    this.#requireBlockFolder(look);
    return look.matching(sizes).flatMap(({ path }) => {
      const address = addressFromSysfs(path.slice(blockFolder.length + 1, -'/size'.length));
      const sizeBytes = sizeOf(look, path);
      return address === undefined || sizeBytes === undefined ? [] : [{ ...address, sizeBytes }];
    });
  }

  #requireModule(look: Look): void {
    if (look.has(discoverNode)) return;
    const message = `The kernel module aoe is not loaded on this node (there is no ${discoverNode}): run "modprobe aoe", and name it in /etc/modules-load.d/vbs.conf.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { machine: this.machine.name } });
  }

  #requireBlockFolder(look: Look): void {
    if (look.has(blockFolder)) return;
    throw new VbsError('UNAVAILABLE', 'This node has no /sys/block: mount sysfs, so that its devices can be seen.', {
      context: { machine: this.machine.name },
    });
  }

  #device(look: Look, { sysfs, key }: AoeAddress): AoeDevice | undefined {
    this.#requireBlockFolder(look);
    const text = (path: string): string | undefined => look.text(path)?.trim();
    const disks = [sysfs, ...look.matching(`${sysfs}/etherd!${key}p*/dev`).map(({ path }) => path.slice(0, -'/dev'.length))];
    const [state, sizeBytes, netif, ro] = [
      text(`${sysfs}/state`),
      sizeOf(look, `${sysfs}/size`),
      text(`${sysfs}/netif`),
      text(`${sysfs}/ro`),
    ];
    const numbers = disks.map((disk) => text(`${disk}/dev`));
    // One that goes while it is read is not there.
    if (state === undefined || sizeBytes === undefined || netif === undefined || ro === undefined) return undefined;
    if (!numbers.every((number) => number !== undefined)) return undefined;
    const stackedBy = disks.flatMap((disk) => look.matching(`${disk}/holders/*`).map(({ parts: [name = ''] }) => name));
    return { state, sizeBytes, interfaces: netif === 'none' ? [] : netif.split(','), readOnly: ro === '1', numbers, stackedBy };
  }
}

function devicePatterns({ sysfs, key }: AoeAddress): readonly string[] {
  const partition = `${sysfs}/etherd!${key}p*`;
  const own = ['state', 'size', 'netif', 'ro', 'dev', 'holders/*'].map((name) => `${sysfs}/${name}`);
  return [blockFolder, ...own, `${partition}/dev`, `${partition}/holders/*`];
}

function sizeOf(look: Look, path: string): number | undefined {
  const sectors = look.text(path)?.trim();
  if (sectors === undefined) return undefined;
  if (!/^\d{1,15}$/.test(sectors)) {
    throw new VbsError('INTERNAL', `${path} holds ${JSON.stringify(sectors.slice(0, 80))}, which is no number of sectors.`);
  }
  return Number(sectors) * sectorBytes;
}

export function isUp({ state }: AoeDevice): boolean {
  return state === 'up' || state.startsWith('up,');
}

/** A device whose target went while something had it open. */
export function isHeldDown({ state }: AoeDevice): boolean {
  return state.includes('closewait');
}
