import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { AoeNode } from '../../stand-ins/aoe/aoe-node.js';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import type { IetWorld } from '../../stand-ins/iet/iet-world.js';
import { StandInIscsi } from '../../stand-ins/iscsi/index.js';
import type { AoeSegment } from '../../stand-ins/vblade/segment.js';
import { showTargets } from './iet-portal.js';
import { vmFolder, withLinkTools } from './links.js';
import { storageInterface } from './volume-server.js';

export const portal = '10.0.0.5:3260';
/** The VMs of the node. */
export const vms = ['vm1', 'vm2'] as const;

/** What a node needs beside its tools. */
export interface VmmNode {
  readonly root: string;
  readonly tools: Tools;
  close(): Promise<void>;
}

export function newIscsiNode(root: string, iet: IetWorld): VmmNode {
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
  return prepared(root, Object.fromEntries(Object.entries(iscsi.tools).map(reached)), async () => undefined);
}

export async function newAoeNode(root: string, segment: AoeSegment): Promise<VmmNode> {
  mkdirSync(root, { recursive: true });
  const interfaces = [{ name: storageInterface, mac: '02:00:00:00:00:0a' }];
  const node = await AoeNode.make({ root: realpathSync(root), segment, interfaces });
  return prepared(root, node.tools, async () => {
    node.close();
    await node.settled();
  });
}

function prepared(root: string, tools: Tools, close: () => Promise<void>): VmmNode {
  for (const vm of vms) mkdirSync(join(root, vmFolder, vm), { recursive: true });
  return { root: realpathSync(root), tools: withLinkTools(tools), close };
}

/** What is left of connections and disks of VMs on a node, in words. */
export function leftOnNode(root: string): readonly string[] {
  const folders = ['sys/class/iscsi_session', 'etc/iscsi/nodes', 'dev/disk/by-path', ...vms.map((vm) => join(vmFolder, vm))];
  const left = folders.flatMap((folder) => namesIn(root, folder).map((name) => `${folder}/${name}`));
  const devices = namesIn(root, 'sys/block').filter((name) => /^etherd|^sd[b-z]|^sda./.test(name) || existsSync(join(root, 'dev', name)));
  return [...left, ...devices.map((name) => `sys/block/${name}`)];
}

function namesIn(root: string, folder: string): readonly string[] {
  return existsSync(join(root, folder)) ? readdirSync(join(root, folder)) : [];
}
