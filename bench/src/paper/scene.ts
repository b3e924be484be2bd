import { join } from 'node:path';
import { openBlockStore } from '@vbs/core';
import { type Guest, Lab, type XenGuest } from '@vbs/lab';
import aoe from '@vbs/plugin-aoe';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import tgt from '@vbs/plugin-tgt';
import xen from '@vbs/plugin-xen';
import { silent } from '../harness/tools.js';
import type { Bench } from '../measurement.js';
import { MiB } from '../sizes.js';
import { slots } from './disks.js';
import { PaperGuest } from './guest.js';

const server = 'vs1';
const host = 'dom0';
const vm = 'domu1';
const volumeGroup = 'vg0';
const localGroup = 'local';
const images = '/run/images';

/** Brings up a volume server and a Xen host, and gives a DomU of it the four disks, each of so many MiB. */
export async function openPaperScene({ directory, cleanup, say, signal }: Bench, sizeMiB: number): Promise<PaperGuest> {
  say('bringing the lab up');
  const lab = await Lab.up({ guests: { [server]: 'storage', [host]: 'xen' }, say });
  cleanup.defer('taking the lab down', () => lab.close());
  const dom0 = lab.xenGuest(host);
  signal.throwIfAborted();
  say('local disks');
  await attachLocalDisks(dom0, sizeMiB);
  await lab.guest(server).run('vgcreate', '-q', volumeGroup, lab.guest(server).diskPath);
  for (const road of ['iscsi', 'aoe'] as const) {
    signal.throwIfAborted();
    say(`a volume by ${road}`);
    await attachVolume(lab, road, join(directory, 'vbs.sqlite'), sizeMiB);
  }
  const guest = new PaperGuest(dom0.domu(vm), [dom0, lab.guest(server)]);
  signal.throwIfAborted();
  say('file systems');
  await guest.prepare(dom0);
  return guest;
}

/** A volume that BlockStore made and attached; it stays so when the store is closed. */
async function attachVolume(lab: Lab, road: 'iscsi' | 'aoe', filename: string, sizeMiB: number): Promise<void> {
  const store = await openBlockStore(await configurationOf(lab, road, filename), { logger: silent });
  try {
    const { id: volumeId } = await store.createVolume({ size: sizeMiB * MiB }, { wait: true });
    const device = slots[road === 'iscsi' ? 'VBS-LVM' : 'AoE-LVM'];
    await store.attachVolume({ volumeId, vmmHost: host, vmId: vm, device }, { wait: true });
  } finally {
    await store.close();
  }
}

/** One store; the road of a new attachment is that of the exporter which stands first. */
async function configurationOf(lab: Lab, road: 'iscsi' | 'aoe', filename: string) {
  const machine = (name: string) => ({ ssh: { host: name, configFile: lab.configFile, stateDirectory: '/var/lib/vbs' } });
  const iscsiExporter = { iscsi: { plugin: 'tgt', portal: `${lab.guest(server).address}:3260` } } as const;
  // Writes wait in memory, as in tgtd and in a vblade that nothing is told: else one exporter would sync and the other would not.
  const aoeExporter = { aoe: { plugin: 'aoe', interface: await storageInterface(lab.guest(server)), sync: false } } as const;
  return {
    database: { client: 'sqlite3', filename },
    plugins: [lvmIet, tgt, aoe, iscsi, xen],
    volumeServers: {
      [server]: {
        machine: machine(server),
        backends: { lvs: { plugin: 'lvm-iet', volumeGroup } },
        exporters: road === 'iscsi' ? { ...iscsiExporter, ...aoeExporter } : { ...aoeExporter, ...iscsiExporter },
      },
    },
    vmmNodes: {
      [host]: {
        machine: machine(host),
        initiators: { iscsi: { plugin: 'iscsi' }, aoe: { plugin: 'aoe', interfaces: [await storageInterface(lab.guest(host))] } },
        hypervisor: { plugin: 'xen' },
      },
    },
  } as const;
}

const storageInterface = async (guest: Guest): Promise<string> => (await guest.script('cat /run/vbs-lab/storage-interface')).trim();

/** Written whole beforehand, as BlockStore's volume is: what was never written would be quicker to read and slower to write. */
async function attachLocalDisks(dom0: XenGuest, sizeMiB: number): Promise<void> {
  const image = `${images}/disk.img`;
  const zeros = (path: string): string => `dd if=/dev/zero of=${path} bs=1M count=${sizeMiB} conv=fsync status=none`;
  await dom0.script(`
    vgcreate -q ${localGroup} ${dom0.diskPath}
    lvcreate -q -y -L ${sizeMiB}M -n disk ${localGroup}
    lvcreate -q -y -L ${sizeMiB + 64}M -n images ${localGroup}
    ${zeros(`/dev/${localGroup}/disk`)}
    mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/${localGroup}/images
    mkdir -p ${images}; mount -o noatime /dev/${localGroup}/images ${images}
    ${zeros(image)}
    xl block-attach ${vm} phy:/dev/${localGroup}/disk ${slots['Local-LVM']} w
    xl block-attach ${vm} file:${image} ${slots['Local-Image']} w`);
}
