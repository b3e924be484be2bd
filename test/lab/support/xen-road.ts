import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Attachment, BlockStore, Volume } from '@vbs/core';
import { openStore } from '@vbs/core/internal/open-block-store.js';
import type { Lab, XenGuest } from '@vbs/lab';
import aoe from '@vbs/plugin-aoe';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import nimbus from '@vbs/plugin-nimbus';
import tgt from '@vbs/plugin-tgt';
import xen from '@vbs/plugin-xen';
import type { ExecutionContext } from 'ava';
import { silent } from '../../support/store.js';
import { MiB, type RoadKind } from './road.js';

const [volumeGroup, thinPool] = ['vg0', 'pool'];
export const nodeName = 'dom0';
const nimbusList = '/run/nimbus-list.json';

/** A store whose volumes are LVs of vs1, and whose VMs are the DomUs of dom0. */
export interface XenRoad {
  readonly store: BlockStore;
  readonly dom0: XenGuest;
  volume(): Promise<Volume>;
  /** Into xvdb of a DomU. */
  attach(volume: { readonly id: string }, vmId: string): Promise<Attachment>;
  detach(volume: { readonly id: string }): Promise<void>;
  /** Deletes the volumes and finds nothing of VBS left: no LV, export, session, node record, disk of a VM. */
  requireNothingLeft(t: ExecutionContext, ...volumes: readonly { readonly id: string }[]): Promise<void>;
}

const used = new WeakSet<Lab>();

/** Prepares fresh guests as an operator would, and opens a store over them. */
export async function newXenRoad(t: ExecutionContext, lab: Lab, kind: RoadKind): Promise<XenRoad> {
  t.timeout(600_000);
  if (used.has(lab)) await lab.fresh();
  used.add(lab);
  const [server, dom0] = [lab.guest('vs1'), lab.xenGuest(nodeName)];
  await server.script(`vgcreate -q ${volumeGroup} ${server.diskPath}; lvcreate -q -y -L 512M -T ${volumeGroup}/${thinPool}`);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-xen-road-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const configuration = await configurationOf(lab, kind, directory);
  const store = await openStore(configuration, { logger: silent }, { times: { scanMs: 1_000 } });
  t.teardown(() => store.close());
  return {
    store,
    dom0,
    volume: () => store.createVolume({ size: 16 * MiB }, { wait: true }),
    attach: ({ id: volumeId }, vmId) => store.attachVolume({ volumeId, vmmHost: nodeName, vmId, device: 'xvdb' }, { wait: true }),
    detach: async ({ id: volumeId }) => void (await store.detachVolume({ volumeId }, { wait: true })),
    async requireNothingLeft(test, ...volumes) {
      for (const { id: volumeId } of volumes) await store.deleteVolume({ volumeId }, { wait: true });
      test.is((await server.script(`lvs --noheadings -o lv_name ${volumeGroup}`)).trim(), thinPool);
      test.is((await server.script('pgrep -a vblade || true')).trim(), '');
      // The kernel discovers AoE's targets every minute, also one that is about to go: a repair takes what is left of it.
      if (kind === 'vblade and AoE') await store.reconcile({ repair: true });
      test.is(await leftOn(dom0), '');
    },
  };
}

/** What Dom0 has of VBS, with the entries of disks in xenstore. */
export async function leftOn(dom0: XenGuest): Promise<string> {
  return await dom0.script(`
    ls /sys/class/iscsi_session
    find /etc/iscsi/nodes -type f 2>/dev/null || true
    ls /sys/block | grep -E '^(sd|etherd)' || true
    xenstore-ls -f /local/domain | grep -E '/vbd/[0-9]+/[0-9]+ =' || true`);
}

/** Lets `nimbus-admin` of Dom0 list an instance of this id: one whose VM is the DomU `wrksp-<id>`. */
export async function listInNimbus(dom0: XenGuest, id: string, node: string, state = 'Running'): Promise<void> {
  await dom0.script(`
    cat >${nimbusList}.new <<'END'
${JSON.stringify([{ id, node, state }], null, 2)}
END
    mv ${nimbusList}.new ${nimbusList}
    mkdir -p /usr/local/bin
    cat >/usr/local/bin/nimbus-admin <<'END'
#!/bin/sh
[ "$*" = '--list --json --report id,node,state' ] || { echo 'Parameter Problem: See --help' >&2; exit 1; }
exec cat ${nimbusList}
END
    chmod +x /usr/local/bin/nimbus-admin`);
}

async function configurationOf(lab: Lab, kind: RoadKind, directory: string): Promise<object> {
  const server = lab.guest('vs1');
  const machine = (host: string): object => ({ ssh: { host, configFile: lab.configFile, stateDirectory: '/var/lib/vbs' } });
  const segmentOf = async (name: string) => (await lab.guest(name).script('cat /run/vbs-lab/storage-interface')).trim();
  const viaIscsi = kind === 'tgt and iSCSI';
  // xl takes seconds in a guest, and more beside others.
  const timeLimits = { attachDevice: 120_000, detachDevice: 120_000 };
  return {
    database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
    plugins: [lvmIet, tgt, aoe, iscsi, xen, nimbus],
    volumeServers: {
      vs1: {
        machine: machine('vs1'),
        backends: { fast: { plugin: 'lvm-iet', volumeGroup, thinPool } },
        exporters: {
          out: viaIscsi ? { plugin: 'tgt', portal: `${server.address}:3260` } : { plugin: 'aoe', interface: await segmentOf('vs1') },
        },
      },
    },
    vmmNodes: {
      [nodeName]: {
        machine: machine(nodeName),
        hostnames: ['dom0.lab.example'],
        initiators: viaIscsi ? { iscsi: { plugin: 'iscsi' } } : { aoe: { plugin: 'aoe', interfaces: [await segmentOf(nodeName)] } },
        hypervisor: { plugin: 'xen', connectTimeoutSeconds: 20, timeLimits },
      },
    },
    resolvers: {
      nimbus: {
        plugin: 'nimbus',
        commands: { listJson: `ssh -F ${lab.configFile} ${nodeName} nimbus-admin --list --json --report id,node,state` },
      },
    },
  };
}
