import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { DaemonTool, Tool, Tools } from '../../stand-ins/frame/tool.js';
import { IetWorld } from '../../stand-ins/iet/iet-world.js';
import { LvmWorld, lvmTools } from '../../stand-ins/lvm/index.js';
import type { AoeSegment } from '../../stand-ins/vblade/segment.js';
import { VbladeStandIn } from '../../stand-ins/vblade/vblade.js';

export const volumeGroup = 'vg0';
export const thinPool = 'pool';
export const storageInterface = 'eth1';
const KiB = 1024;
/** Small, so that the bytes of many volumes are few. */
export const extentBytes = 64 * KiB;
const deviceMajor = 253;

export interface VolumeServerOptions {
  readonly root: string;
  readonly segment: AoeSegment;
  readonly thick?: boolean;
}

/** A volume server on which LVM, ietd and vblade stand in: ietd sees the LVs as block devices, and LVM what ietd and vblade have open. */
export class VolumeServer {
  readonly root: string;
  readonly lvm: LvmWorld;
  readonly iet: IetWorld;
  readonly vblade: VbladeStandIn;
  readonly tools: Tools;
  readonly daemons: Readonly<Record<string, DaemonTool>>;
  #minors = 0;

  constructor({ root, segment, thick = false }: VolumeServerOptions) {
    mkdirSync(root, { recursive: true });
    this.root = realpathSync(root);
    const pool = thick ? {} : { thinPool: { name: thinPool, extents: 2_000 } };
    this.lvm = new LvmWorld({ root: this.root, group: volumeGroup, extentBytes, extents: 4_000, ...pool });
    this.iet = new IetWorld(this.root);
    this.vblade = new VbladeStandIn({ segment, interfaces: { [storageInterface]: 'up' } });
    this.daemons = this.vblade.daemons;
    const { stat: statOfVblade, ...ofVblade } = this.vblade.tools;
    const { stat: statOfIet, ...ofIet } = this.iet.tools;
    const stat: Tool = (run) => (run.args[1] === '--format=%s' ? statOfVblade : statOfIet)?.(run) ?? { exitCode: 127 };
    this.tools = { ...ofIet, ...ofVblade, stat, ...this.#wired(lvmTools(this.lvm)) };
  }

  /** Names of the volumes and snapshots that there are, without the pool. */
  get lvs(): readonly string[] {
    return [...this.lvm.lvs.keys()].filter((name) => name !== thinPool).sort();
  }

  /** What is left of exports, in words. */
  leftExports(): readonly string[] {
    return [
      ...this.iet.targets.map(({ tid, name, sessions }) => `target ${tid} ${name} with ${sessions.size} sessions`),
      ...this.iet.users.map(({ tid, name }) => `account ${name} of ${tid}`),
      ...this.iet.allowFile.split('\n').filter((line) => line !== ''),
      ...this.vblade.segment.exports().map(({ shelf, slot, path }) => `vblade e${shelf}.${slot} ${path}`),
    ];
  }

  #wired(tools: Tools): Tools {
    const wired = ([name, tool]: [string, Tool]): [string, Tool] => [
      name,
      async (run) => {
        this.#markOpen();
        const result = await tool(run);
        this.#showDevices();
        return result;
      },
    ];
    return Object.fromEntries(Object.entries(tools).map(wired));
  }

  #markOpen(): void {
    const served = [
      ...this.iet.targets.flatMap(({ luns }) => [...luns.values()].map(({ path }) => path)),
      ...this.vblade.segment.exports().map(({ path }) => path),
    ];
    this.lvm.open.clear();
    for (const path of served) {
      const lv = this.lvm.lvOfPath(path);
      if (lv !== undefined) this.lvm.open.add(lv.name);
    }
  }

  #showDevices(): void {
    const paths = new Set([...this.lvm.lvs.values()].filter(({ active }) => active).map(({ name }) => join('/dev', volumeGroup, name)));
    for (const path of this.iet.devices.keys()) if (!paths.has(path)) this.iet.devices.delete(path);
    for (const path of paths) {
      const size = this.iet.sizeOf(path);
      if (size === undefined) continue;
      const minor = this.iet.devices.get(path) ?? this.#minors++;
      this.iet.devices.set(path, minor);
      this.iet.writeRoot(`/sys/dev/block/${deviceMajor}:${minor}/size`, `${size / 512}\n`);
    }
  }
}
