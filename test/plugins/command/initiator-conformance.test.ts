import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type InitiatorTarget, initiatorConformance, type NodeDevice, type Surroundings } from '@vbs/conformance';
import commandPlugin, { type CommandInitiatorConfig } from '@vbs/plugin-command';
import test from 'ava';
import { CommandNode } from '../../support/command/command-node.js';
import { readmeExample } from '../../support/command/readme-example.js';
import { call, readBytes, type TestTarget, writeBytes } from '../iscsi/iscsi-fixture.js';

const nodes = new WeakMap<object, CommandNode>();

/** The node of one test. */
function nodeOf(surroundings: Surroundings): CommandNode {
  const found = nodes.get(surroundings.atEnd);
  if (found !== undefined) return found;
  mkdirSync(join(surroundings.directory, 'root', 'etc/iscsi'), { recursive: true });
  const node = new CommandNode(surroundings.directory);
  nodes.set(surroundings.atEnd, node);
  return node;
}

function asTarget(node: CommandNode, { target, file, connection }: TestTarget): InitiatorTarget<'iscsi'> {
  return {
    connection,
    bytes: { read: (offset, length) => readBytes(file, offset, length), write: (offset, bytes) => writeBytes(file, offset, bytes) },
    grow: async (sizeBytes) => target.grow(connection.lun, sizeBytes),
    stop: async () => node.iscsi.setDead(target, true),
    start: async () => node.iscsi.setDead(target, false),
    refuse: async () => {
      target.initiators = [];
    },
    remove: async () => {
      node.iscsi.targets.delete(target.iqn);
      await rm(file, { force: true });
    },
  };
}

async function deviceOf(node: CommandNode, path: string): Promise<NodeDevice> {
  const file = await node.file(path);
  return {
    sizeBytes: node.sizeOf(path),
    read: (offset, length) => readBytes(file, offset, length),
    write: async (offset, bytes) => {
      if (node.isReadOnly(path)) throw new Error('EPERM: the disk is read-only');
      await writeBytes(file, offset, bytes);
    },
    flush: async () => {
      await node.machine.run(call(), ['blockdev', '--flushbufs', `/dev/${node.diskOf(path)}`]);
    },
  };
}

initiatorConformance(test, commandPlugin, {
  label: 'command, open-iscsi by patterns on stand-in tools',
  config: () => ({ ...readmeExample('iscsi'), deviceTimeoutSeconds: 0.2 }) as unknown as CommandInitiatorConfig,
  machine: (surroundings) => nodeOf(surroundings).commandMachine,
  makeTarget: async (surroundings, options) => {
    const node = nodeOf(surroundings);
    return asTarget(node, node.makeTarget(options));
  },
  device: (surroundings, path) => deviceOf(nodeOf(surroundings), path),
  hold: async (surroundings, path) => {
    const node = nodeOf(surroundings);
    const letGo = node.iscsi.openBy(4711, 'qemu-system-x86', node.diskOf(path));
    return async () => letGo();
  },
});
