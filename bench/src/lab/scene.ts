import { join } from 'node:path';
import { type BlockStore, openBlockStore } from '@vbs/core';
import { Lab } from '@vbs/lab';
import nodeVms from '@vbs/lab/node-vms';
import iscsi from '@vbs/plugin-iscsi';
import lvmIet from '@vbs/plugin-lvm-iet';
import tgt from '@vbs/plugin-tgt';
import { silent } from '../harness/tools.js';
import type { Bench } from '../measurement.js';
import { Recorder } from './recorder.js';

export const node = 'node1';
export const vm = 'vm1';
export const slot = 'xvdb';
export const volumeGroup = 'vg0';
export const thinPool = 'pool';
const vmFolder = '/run/vbs-vms';

/** A store over two guests: LVs of vs1, thin and thick, exported by tgt and attached to node1 by iSCSI. */
export interface LabScene {
  readonly lab: Lab;
  readonly store: BlockStore;
  readonly recorder: Recorder;
}

export async function openLabScene({ directory, cleanup, say }: Bench): Promise<LabScene> {
  say('bringing the lab up');
  const lab = await Lab.up({ guests: ['vs1', node], say });
  cleanup.defer('taking the lab down', () => lab.close());
  const server = lab.guest('vs1');
  await server.script(`
    vgcreate -q -s 1M ${volumeGroup} ${server.diskPath}
    lvcreate -q -y -L 700M -T ${volumeGroup}/${thinPool}`);
  await lab.guest(node).run('mkdir', '-p', `${vmFolder}/${vm}`);
  const recorder = new Recorder(join(directory, 'state'));
  cleanup.defer('closing the connections to the guests', () => recorder.close());
  const machine = (host: string) => ({ ssh: { host, configFile: lab.configFile, stateDirectory: '/var/lib/vbs' } });
  const store = await openBlockStore(
    {
      database: { client: 'sqlite3', filename: join(directory, 'vbs.sqlite') },
      plugins: [lvmIet, tgt, iscsi, nodeVms],
      volumeServers: {
        vs1: {
          machine: machine('vs1'),
          backends: {
            thin: { plugin: 'lvm-iet', volumeGroup, thinPool, default: true },
            thick: { plugin: 'lvm-iet', volumeGroup },
          },
          exporters: { out: { plugin: 'tgt', portal: `${server.address}:3260` } },
        },
      },
      vmmNodes: {
        [node]: {
          machine: machine(node),
          initiators: { iscsi: { plugin: 'iscsi' } },
          hypervisor: { plugin: 'node-vms', directory: vmFolder },
        },
      },
    },
    { logger: silent, machines: recorder },
  );
  cleanup.defer('closing the store', () => store.close());
  return { lab, store, recorder };
}
