import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type InitiatorTarget, initiatorConformance, type NodeDevice, type Surroundings } from '@vbs/conformance';
import iscsiPlugin from '@vbs/plugin-iscsi';
import test from 'ava';
import { call, Node, readBytes, type TestTarget, writeBytes } from './iscsi-fixture.js';

const nodes = new WeakMap<object, Node>();

/** The node of one test. */
function nodeOf(surroundings: Surroundings): Node {
  const found = nodes.get(surroundings.atEnd);
  if (found !== undefined) return found;
  mkdirSync(join(surroundings.directory, 'root', 'etc/iscsi'), { recursive: true });
  const node = new Node(surroundings.directory);
  nodes.set(surroundings.atEnd, node);
  return node;
}

function asTarget(node: Node, made: TestTarget): InitiatorTarget<'iscsi'> & { readonly made: TestTarget } {
  const { target, file, connection } = made;
  return {
    made,
    connection,
    bytes: { read: (offset, length) => readBytes(file, offset, length), write: (offset, bytes) => writeBytes(file, offset, bytes) },
    grow: async (sizeBytes) => target.grow(connection.lun, sizeBytes),
    stop: async () => node.iscsi.setDead(target, true),
    start: async () => node.iscsi.setDead(target, false),
    refuse: async () => {
      target.initiators = [];
    },
    remove: async () => {
      target.luns.delete(connection.lun);
      if (target.luns.size === 0) node.iscsi.targets.delete(target.iqn);
      await rm(file, { force: true });
    },
  };
}

async function deviceOf(node: Node, path: string): Promise<NodeDevice> {
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

initiatorConformance(test, iscsiPlugin, {
  label: 'iscsi on stand-in tools',
  config: () => ({}),
  machine: (surroundings) => nodeOf(surroundings).machine,
  makeTarget: async (surroundings, options) => {
    const node = nodeOf(surroundings);
    return asTarget(node, node.makeTarget(options));
  },
  makeBeside: async (surroundings, { connection }, options) => {
    const node = nodeOf(surroundings);
    const target = node.iscsi.targets.get(connection.iqn);
    if (target === undefined) throw new Error('the first target is gone');
    return asTarget(node, node.makeTarget({ ...options, beside: { target, file: '', connection } }));
  },
  device: (surroundings, path) => deviceOf(nodeOf(surroundings), path),
  hold: async (surroundings, path) => {
    const node = nodeOf(surroundings);
    const letGo = node.iscsi.openBy(4711, 'qemu-system-x86', node.diskOf(path));
    return async () => letGo();
  },
});
