import { readlinkSync, realpathSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BlockStore, createLocalMachine, type LocalMachine, type Logger, type Machine } from '@vbs/core';
import type { StoreOverrides } from '@vbs/core/internal/compose.js';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import nodeVms from '@vbs/lab/node-vms';
import aoe from '@vbs/plugin-aoe';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import { AoeSegment } from '../../stand-ins/vblade/segment.js';
import { shortTimes, silent } from '../../support/store.js';
import { vmFolder } from './links.js';
import { leftOnNode, newAoeNode, newIscsiNode, portal, type VmmNode } from './vmm-node.js';
import { extentBytes, storageInterface, thinPool, VolumeServer, volumeGroup } from './volume-server.js';

/** How a volume comes to the node. */
export type RoadKind = 'LVM → IET → iSCSI' | 'LVM → vblade → AoE';
export const roadKinds: readonly RoadKind[] = ['LVM → IET → iSCSI', 'LVM → vblade → AoE'];
export const volumeBytes = 2 * extentBytes;

export interface RoadOptions {
  readonly thick?: boolean;
  /** How long each command takes, in milliseconds. */
  readonly takesMs?: number;
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

/** A volume server and a node of stand-in tools, and the stores that work on them. */
export class Road {
  /** One for both machines: the n-th command is the n-th of the whole road. */
  readonly faults = new FaultPlan();
  readonly ran: Ran[] = [];
  readonly machines: { readonly vs1: StandInMachine; readonly node1: StandInMachine };
  readonly #local: LocalMachine;

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
    this.#local = createLocalMachine({ name: 'local', stateDirectory: join(directory, 'local'), log: silent });
  }

  static async make(t: ExecutionContext, kind: RoadKind, options: RoadOptions = {}): Promise<Road> {
    const directory = realpathSync(await mkdtemp(join(tmpdir(), 'vbs-stand-in-road-')));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const segment = new AoeSegment();
    const server = new VolumeServer({ root: join(directory, 'vs1', 'root'), segment, thick: options.thick === true });
    const nodeRoot = join(directory, 'node1', 'root');
    const node = kind === 'LVM → IET → iSCSI' ? newIscsiNode(nodeRoot, server.iet) : await newAoeNode(nodeRoot, segment);
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

  /** The file in which a disk of a VM has its bytes, found as the VM would find it. */
  disk(slot: string, vm = 'vm1'): string {
    const { node1 } = this.machines;
    const device = readlinkSync(node1.real(join(vmFolder, vm, slot)));
    return realpathSync(node1.real(device));
  }

  leftovers(): readonly string[] {
    return [...this.server.leftExports(), ...leftOnNode(this.node.root)];
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
    const viaIscsi = this.kind === 'LVM → IET → iSCSI';
    const exporter = viaIscsi ? { plugin: 'lvm-iet', portal } : { plugin: 'aoe', interface: storageInterface };
    // Many at once wait for their turn within a call, on a busy machine for longer than its usual limit.
    const limited = this.options.takesMs === undefined ? {} : { timeLimits: { connect: longestCallMs, disconnect: longestCallMs } };
    const initiators = viaIscsi
      ? { iscsi: { plugin: 'iscsi', ...limited } }
      : { aoe: { plugin: 'aoe', interfaces: [storageInterface], ...limited } };
    const pool = this.options.thick === true ? { blockBytes: extentBytes } : { thinPool };
    return {
      database: { client: 'sqlite3', filename: this.databaseFile },
      plugins: [lvmIet, aoe, iscsi, nodeVms],
      volumeServers: {
        vs1: {
          machine: { ssh: { host: 'vs1' } },
          backends: { fast: { plugin: 'lvm-iet', volumeGroup, ...pool } },
          exporters: { out: exporter },
        },
      },
      vmmNodes: {
        node1: { machine: { ssh: { host: 'node1' } }, initiators, hypervisor: { plugin: 'node-vms', directory: vmFolder } },
      },
    };
  }
}
