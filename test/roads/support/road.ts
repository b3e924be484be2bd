import { realpathSync } from 'node:fs';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockStore, createLocalMachine, type LocalMachine, type Logger, type Machine } from '@vbs/core';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import aoe from '@vbs/plugin-aoe';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import nimbusPlugin from '@vbs/plugin-nimbus';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import { AoeSegment } from '../../stand-ins/vblade/segment.js';
import { shortTimes, silent } from '../../support/store.js';
import { LinkVms } from './links.js';
import type { GuestDisk, MakeVms, NodeVms } from './node-vms.js';
import { QmVms } from './qm-vms.js';
import { newAoeNode, newIscsiNode, portal, type VmmNode } from './vmm-node.js';
import { extentBytes, storageInterface, thinPool, VolumeServer, volumeGroup } from './volume-server.js';
import { XenVms } from './xen-vms.js';

interface Way {
  readonly network: 'iSCSI' | 'AoE';
  readonly makeVms: MakeVms;
}

const linkVms: MakeVms = (root, tools) => new LinkVms(root, tools);
const xenVms: MakeVms = (root, tools) => new XenVms(root, tools);
const qmVms: MakeVms = (root, tools) => new QmVms(root, tools);

/** How a volume comes to the node, and from there into a VM: as a link, where no hypervisor is named. */
const ways = {
  'LVM → IET → iSCSI': { network: 'iSCSI', makeVms: linkVms },
  'LVM → vblade → AoE': { network: 'AoE', makeVms: linkVms },
  'LVM → IET → iSCSI → Xen': { network: 'iSCSI', makeVms: xenVms },
  'LVM → vblade → AoE → Xen': { network: 'AoE', makeVms: xenVms },
  'LVM → IET → iSCSI → qm': { network: 'iSCSI', makeVms: qmVms },
} as const satisfies Readonly<Record<string, Way>>;
export type RoadKind = keyof typeof ways;
export const roadKinds = Object.keys(ways) as readonly RoadKind[];
export const volumeBytes = 2 * extentBytes;

export interface RoadOptions {
  readonly thick?: boolean;
  /** How long each command takes, in milliseconds. */
  readonly takesMs?: number;
  /** The VMs of the node, where they are not those of the road's kind. */
  readonly makeVms?: MakeVms;
  /** Nimbus's tools, on the machine of VBS: a cloud above the node, which it knows as node1.example.org. */
  readonly nimbus?: Tools;
}

export interface OpenOptions {
  readonly logger?: Logger;
  readonly times?: StoreOverrides['times'];
  /** What the store is given in place of each machine. */
  readonly machine?: (machine: Machine) => Machine;
}

/** A whole command as a process would be given it: what `ps` shows. */
export interface Ran {
  readonly machine: 'vs1' | 'node1';
  readonly words: readonly string[];
}

/** In milliseconds. */
const longestCallMs = 300_000;

/** What the largest road needs, several times. */
const roomBytes = 512 * 1024 * 1024;

/** Roads are many small files that are gone at once: in memory, where there is room, a test takes half the time. */
async function quickFolder(): Promise<string> {
  const inMemory = '/dev/shm';
  const room = await statfs(inMemory).catch(() => undefined);
  return room !== undefined && room.bavail * room.bsize > roomBytes ? inMemory : tmpdir();
}

/** A volume server and a node of stand-in tools, and the stores that work on them. */
export class Road {
  /** One for both machines: the n-th command is the n-th of the whole road. */
  readonly faults = new FaultPlan();
  readonly ran: Ran[] = [];
  readonly machines: { readonly vs1: StandInMachine; readonly node1: StandInMachine };
  readonly #local: Machine;

  private constructor(
    readonly kind: RoadKind,
    readonly directory: string,
    readonly server: VolumeServer,
    readonly node: VmmNode,
    private readonly options: RoadOptions,
  ) {
    const { faults } = this;
    const takes = options.takesMs === undefined ? {} : { takesMs: options.takesMs };
    const { daemons } = server;
    const machine = (name: 'vs1' | 'node1', { root, tools }: { readonly root: string; readonly tools: Tools }) =>
      new StandInMachine({
        name,
        root,
        stateDirectory: join(directory, name, 'state'),
        tools: this.#recorded(name, tools),
        faults,
        ...takes,
        ...(name === 'vs1' ? { daemons } : {}),
      });
    this.machines = { vs1: machine('vs1', server), node1: machine('node1', node) };
    const local = { name: 'local', stateDirectory: join(directory, 'local') };
    this.#local =
      options.nimbus === undefined
        ? createLocalMachine({ ...local, log: silent })
        : new StandInMachine({ ...local, root: join(directory, 'cloud'), tools: options.nimbus });
  }

  static async make(t: ExecutionContext, kind: RoadKind, options: RoadOptions = {}): Promise<Road> {
    const directory = realpathSync(await mkdtemp(join(await quickFolder(), 'vbs-stand-in-road-')));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const segment = new AoeSegment();
    const server = new VolumeServer({ root: join(directory, 'vs1', 'root'), segment, thick: options.thick === true });
    const nodeRoot = join(directory, 'node1', 'root');
    const { network, makeVms } = { ...ways[kind], ...options };
    const node = network === 'iSCSI' ? newIscsiNode(nodeRoot, server.iet, makeVms) : await newAoeNode(nodeRoot, segment, makeVms);
    t.teardown(() => node.close());
    return new Road(kind, directory, server, node, options);
  }

  /** A store over this road; whoever opens it closes it. */
  async open({ logger = silent, times = {}, machine = (given) => given }: OpenOptions = {}): Promise<BlockStore> {
    const machines = { vs1: machine(this.machines.vs1), node1: machine(this.machines.node1) };
    return await openStore(
      this.#configuration(),
      {
        logger,
        machines: {
          machine: (configuration) =>
            (configuration === 'local' ? this.#local : machines[configuration.ssh.host as 'vs1' | 'node1']) as LocalMachine,
        },
      },
      {
        times: { ...shortTimes, pauseMs: () => 10, scanMs: 20, restoreMs: 60_000, ...times },
        layers: { retry: { retries: 3, firstPauseMs: 1 } },
      },
    );
  }

  get vms(): NodeVms {
    return this.node.vms;
  }

  /** Of the first VM, unless told otherwise. */
  disk(slot: string, vm: string = this.vms.ids[0]): GuestDisk {
    return this.vms.disk(vm, slot);
  }

  /** All bytes of a disk, as its guest reads them. */
  async bytes(slot: string, vm?: string): Promise<Buffer> {
    const disk = this.disk(slot, vm);
    return await disk.read(0, disk.sizeBytes);
  }

  leftovers(): readonly string[] {
    return [...this.server.leftExports(), ...this.node.left()];
  }

  get databaseFile(): string {
    return join(this.directory, 'vbs.sqlite');
  }

  #recorded(name: 'vs1' | 'node1', tools: Tools): Tools {
    const recorded = ([tool, act]: [string, Tool]): [string, Tool] => [
      tool,
      (run) => {
        this.ran.push({ machine: name, words: [tool, ...run.args] });
        return act(run);
      },
    ];
    return Object.fromEntries(Object.entries(tools).map(recorded));
  }

  #configuration(): object {
    const viaIscsi = ways[this.kind].network === 'iSCSI';
    const { nimbus } = this.options;
    const exporter = viaIscsi ? { plugin: 'lvm-iet', portal } : { plugin: 'aoe', interface: storageInterface };
    // Many at once wait for their turn within a call, on a busy machine for longer than its usual limit.
    const limited = this.options.takesMs === undefined ? {} : { timeLimits: { connect: longestCallMs, disconnect: longestCallMs } };
    const initiators = viaIscsi
      ? { iscsi: { plugin: 'iscsi', ...limited } }
      : { aoe: { plugin: 'aoe', interfaces: [storageInterface], ...limited } };
    const pool = this.options.thick === true ? { blockBytes: extentBytes } : { thinPool };
    return {
      database: { client: 'sqlite3', filename: this.databaseFile },
      plugins: [lvmIet, aoe, iscsi, this.vms.plugin, nimbusPlugin],
      volumeServers: {
        vs1: {
          machine: { ssh: { host: 'vs1' } },
          backends: { fast: { plugin: 'lvm-iet', volumeGroup, ...pool } },
          exporters: { out: exporter },
        },
      },
      vmmNodes: {
        node1: {
          machine: { ssh: { host: 'node1' } },
          hostnames: ['node1.example.org'],
          initiators,
          hypervisor: this.vms.configuration,
        },
      },
      ...(nimbus === undefined ? {} : { resolvers: { nimbus: { plugin: 'nimbus' } } }),
    };
  }
}
