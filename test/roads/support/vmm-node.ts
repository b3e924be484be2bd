import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AoeNode } from '../../stand-ins/aoe/aoe-node.js';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import type { IetWorld } from '../../stand-ins/iet/iet-world.js';
import { StandInIscsi } from '../../stand-ins/iscsi/index.js';
import type { AoeSegment } from '../../stand-ins/vblade/segment.js';
import { showTargets } from './iet-portal.js';
import type { MakeVms, NodeVms } from './node-vms.js';
import { storageInterface } from './volume-server.js';

export const portal = '10.0.0.5:3260';

/** A node with an initiator and a hypervisor. */
export interface VmmNode {
  readonly root: string;
  readonly vms: NodeVms;
  readonly tools: Tools;
  /** What is left of connections and disks of VMs, in words; and devices that were taken away while a VM had them open. */
  left(): readonly string[];
  close(): Promise<void>;
}

export function newIscsiNode(root: string, iet: IetWorld, makeVms: MakeVms): VmmNode {
  mkdirSync(join(root, 'etc/iscsi'), { recursive: true });
  const iscsi = new StandInIscsi(realpathSync(root));
  const reached = ([name, tool]: [string, Tool]): [string, Tool] => [
    name,
    (run) => {
      // A login and a scan meet the target.
      if (name === 'iscsiadm' || name === 'tee') showTargets(iet, portal, iscsi.targets);
      return tool(run);
    },
  ];
  return newNode(root, makeVms(realpathSync(root), Object.fromEntries(Object.entries(iscsi.tools).map(reached))), async () => undefined);
}

export async function newAoeNode(root: string, segment: AoeSegment, makeVms: MakeVms): Promise<VmmNode> {
  mkdirSync(root, { recursive: true });
  const interfaces = [{ name: storageInterface, mac: '02:00:00:00:00:0a' }];
  const node = await AoeNode.make({ root: realpathSync(root), segment, interfaces });
  return newNode(root, makeVms(realpathSync(root), node.tools), async () => {
    node.close();
    await node.settled();
  });
}

function newNode(root: string, vms: NodeVms, close: () => Promise<void>): VmmNode {
  const lost = new Set<string>();
  const watched = ([name, tool]: [string, Tool]): [string, Tool] => [
    name,
    async (run) => {
      const result = await tool(run);
      for (const path of vms.held()) if (!existsSync(join(root, path))) lost.add(`${path} was taken from under a VM`);
      return result;
    },
  ];
  const tools = Object.fromEntries(Object.entries(vms.tools).map(watched));
  return { root: realpathSync(root), vms, tools, left: () => [...leftOfConnections(root), ...vms.left(), ...lost], close };
}

function leftOfConnections(root: string): readonly string[] {
  const folders = ['sys/class/iscsi_session', 'etc/iscsi/nodes', 'dev/disk/by-path'];
  const left = folders.flatMap((folder) => namesIn(root, folder).map((name) => `${folder}/${name}`));
  const devices = namesIn(root, 'sys/block').filter((name) => /^etherd|^sd[b-z]|^sda./.test(name) || existsSync(join(root, 'dev', name)));
  return [...left, ...devices.map((name) => `sys/block/${name}`)];
}

function namesIn(root: string, folder: string): readonly string[] {
  return existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
}
