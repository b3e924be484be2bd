import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attachment, BlockStore, Volume } from '@vbs/core';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import type { Guest, Lab } from '@vbs/lab';
import nodeVms from '@vbs/lab/node-vms';
import aoe from '@vbs/plugin-aoe';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import tgt from '@vbs/plugin-tgt';
import type { ExecutionContext } from 'ava';
import { silent } from '../../support/store.js';

export const MiB = 1024 * 1024;

/** How a volume of vs1 comes to a node. */
export type RoadKind = 'tgt and iSCSI' | 'vblade and AoE';
export const roadKinds: readonly RoadKind[] = ['tgt and iSCSI', 'vblade and AoE'];

/** Where the nodes keep the links that stand for the disks of VMs. */
const vmFolder = '/run/vbs-vms';
const volumeGroup = 'vg0';
const thinPool = 'pool';

export interface RoadOptions {
  /** Thick volumes; thin ones unless told. */
  readonly thick?: boolean;
}

/** A store whose volumes are LVs of vs1, and whose VMs are folders of links on node1 (vm1) and node2 (vm2). */
export interface Road {
  readonly store: BlockStore;
  readonly lab: Lab;
  /** Opens another store over the same database and guests, as a restart does. */
  reopen(): Promise<BlockStore>;
  volume(sizeBytes?: number): Promise<Volume>;
  attach(volume: { readonly id: string }, vmId: VmId, device?: string): Promise<Attachment>;
  detach(volume: { readonly id: string }): Promise<void>;
  /** Nothing of VBS is left: no LV, export, session, node record, vblade or link. */
  requireNothingLeft(t: ExecutionContext): Promise<void>;
}

export type VmId = 'vm1' | 'vm2';
export const nodeOf = { vm1: 'node1', vm2: 'node2' } as const;

/** The block device that a VM has in a slot, on its node. */
export const diskOf = (vmId: VmId, device = 'xvdb'): string => `${vmFolder}/${vmId}/${device}`;

/** Prepares fresh guests as an operator would, and opens a store over them. */
export async function newRoad(t: ExecutionContext, lab: Lab, kind: RoadKind, { thick = false }: RoadOptions = {}): Promise<Road> {
  await lab.fresh();
  const server = lab.guest('vs1');
  await server.script(`
    vgcreate -q ${volumeGroup} ${server.diskPath}
    ${thick ? '' : `lvcreate -q -y -L 1G -T ${volumeGroup}/${thinPool}`}`);
  for (const [vm, node] of Object.entries(nodeOf)) await lab.guest(node).run('mkdir', '-p', `${vmFolder}/${vm}`);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-road-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const configuration = await configurationOf(lab, kind, directory, thick);
  const open = (): Promise<BlockStore> => openStore(configuration, { logger: silent }, { times: { scanMs: 500, restoreMs: 1_000 } });
  const store = await open();
  t.teardown(() => store.close());
  return {
    store,
    lab,
    async reopen() {
      const again = await open();
      t.teardown(() => again.close());
      return again;
    },
    volume: (sizeBytes = 64 * MiB) => store.createVolume({ size: sizeBytes }, { wait: true }),
    attach: ({ id: volumeId }, vmId, device = 'xvdb') =>
      store.attachVolume({ volumeId, vmmHost: nodeOf[vmId], vmId, device }, { wait: true }),
    detach: async ({ id: volumeId }) => void (await store.detachVolume({ volumeId }, { wait: true })),
    requireNothingLeft: async (test) => {
      const lvs = await server.script(`lvs --noheadings -o lv_name ${volumeGroup}`);
      test.is(lvs.trim(), thick ? '' : thinPool);
      test.is((await server.script('pgrep -a vblade || true')).trim(), '');
      for (const node of ['node1', 'node2']) test.is(withoutTarget(kind, await leftOn(lab.guest(node))), '', node);
      if (kind === 'tgt and iSCSI') return;
      const report = await store.reconcile({ repair: true });
      for (const node of ['node1', 'node2'])
        test.is(await leftOn(lab.guest(node)), '', `${node}, after a repair: ${JSON.stringify(report)}`);
    },
  };
}

/** Of AoE, without devices whose target is gone: the kernel discovers every minute, also a target that is about to go. A repair takes them. */
function withoutTarget(kind: RoadKind, left: string): string {
  return kind === 'tgt and iSCSI' ? left : left.replace(/^etherd!.*\n/gm, '');
}

async function leftOn(node: Guest): Promise<string> {
  return await node.script(`
    ls /sys/class/iscsi_session
    find /etc/iscsi/nodes -type f 2>/dev/null || true
    ls /sys/block | grep -E '^(sd|etherd)' || true
    find ${vmFolder} -type l`);
}

/** A guest's one emulated processor runs the commands of many calls in turn: each takes as many times longer as there are. */
const patient = (...methods: readonly string[]): object => ({ timeLimits: Object.fromEntries(methods.map((name) => [name, 300_000])) });

async function configurationOf(lab: Lab, kind: RoadKind, directory: string, thick: boolean): Promise<object> {
  const server = lab.guest('vs1');
  const machine = (host: string): object => ({ ssh: { host, configFile: lab.configFile, stateDirectory: '/var/lib/vbs' } });
  const segment = (await server.script('cat /run/vbs-lab/storage-interface')).trim();
  const viaIscsi = kind === 'tgt and iSCSI';
  const limits = {
    exporter: patient('createExport', 'deleteExport', 'listExports'),
    initiator: patient('connect', 'disconnect', 'listConnections'),
  };
  const exporter = viaIscsi ? { plugin: 'tgt', portal: `${server.address}:3260` } : { plugin: 'aoe', interface: segment };
  const initiator = viaIscsi ? { plugin: 'iscsi' } : { plugin: 'aoe', interfaces: [segment] };
  const initiators = { [viaIscsi ? 'iscsi' : 'aoe']: { ...initiator, ...limits.initiator } };
  return {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins: [lvmIet, tgt, aoe, iscsi, nodeVms],
    volumeServers: {
      vs1: {
        machine: machine('vs1'),
        backends: {
          fast: {
            plugin: 'lvm-iet',
            volumeGroup,
            ...(thick ? {} : { thinPool }),
            ...patient('createVolume', 'deleteVolume', 'listVolumes'),
          },
        },
        exporters: { out: { ...exporter, ...limits.exporter } },
      },
    },
    vmmNodes: Object.fromEntries(
      Object.values(nodeOf).map((node) => [
        node,
        {
          machine: machine(node),
          initiators,
          hypervisor: { plugin: 'node-vms', directory: vmFolder, ...patient('attachDevice', 'detachDevice', 'listDevices') },
        },
      ]),
    ),
  };
}

/** Makes a file system on a VM's disk, and writes a file of so many MiB to it; answers its SHA-256. */
export async function writeFileSystem(guest: Guest, disk: string, seed: string, sizeMiB = 8): Promise<string> {
  await guest.script(`mkfs.ext4 -q -F ${disk}`);
  return await writeFile(guest, disk, seed, sizeMiB);
}

export async function writeFile(guest: Guest, disk: string, seed: string, sizeMiB = 8): Promise<string> {
  const said = await mounted(guest, disk, `head -c ${sizeMiB}M <(yes ${seed}) >$at/data; sync $at/data; sha256sum <$at/data`);
  return said.slice(0, 64);
}

/** The SHA-256 of what {@link writeFile} wrote, once the file system was found whole. */
export async function readFile(guest: Guest, disk: string): Promise<string> {
  await guest.script(`e2fsck -p -f ${disk} >/dev/null || [ $? -eq 1 ]`);
  return (await mounted(guest, disk, 'sha256sum <$at/data')).slice(0, 64);
}

/** Acts while the disk is mounted at $at. */
export async function mounted(guest: Guest, disk: string, act: string): Promise<string> {
  return await guest.script(`at=$(mktemp -d); mount ${disk} $at; trap 'umount $at' EXIT; ${act}`);
}

export const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
