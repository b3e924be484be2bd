import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { HoldPath, InitiatorTarget, NodeDevice, Surroundings, TargetOptions } from '@vbs/conformance';
import {
  type Call,
  type ConnectionRequest,
  type ConnectRequest,
  definePlugin,
  type Initiator,
  initiator,
  type LocalMachine,
  type NodeConnection,
  type Schema,
  Secret,
  VbsError,
} from '@vbs/core';
import { type MemoryDevice, MemoryNode, MemoryTarget } from './memory-node.js';

const configSchema: Schema<object> = { type: 'object', additionalProperties: false };
const attachmentId = /^att-[0-9a-f]{17}$/;

function connectionOf({ target, path, sizeBytes }: MemoryDevice): NodeConnection<'iscsi'> {
  const { key, iqn, lun, serial } = target;
  return { connection: { protocol: 'iscsi', key, portals: ['127.0.0.1:3260'], iqn, lun, serial }, devicePath: path, sizeBytes };
}

/** An initiator without a fault, whose kernel is an object. */
class MemoryInitiator implements Initiator<'extend', 'iscsi'> {
  constructor(
    private readonly node: MemoryNode,
    private readonly machine: LocalMachine,
  ) {}

  async getIdentity(): Promise<{ readonly initiators: readonly string[] }> {
    return { initiators: [this.node.name] };
  }

  connect(call: Call, request: ConnectRequest<'iscsi'>): Promise<NodeConnection<'iscsi'>> {
    return this.#guarded(call, request, async () => {
      const { key, serial, chap } = request.connection;
      const device = this.node.devices.get(key) ?? this.node.login(key, chap?.password.reveal());
      await turn();
      if (device.sizeBytes !== request.sizeBytes || device.target.serial !== serial) {
        this.node.devices.delete(key);
        const context = { expected: { sizeBytes: request.sizeBytes, serial }, found: { sizeBytes: device.sizeBytes } };
        throw new VbsError('FAILED_PRECONDITION', `${key} is not the volume that it must be`, { context });
      }
      return connectionOf(device);
    });
  }

  disconnect(call: Call, request: ConnectionRequest<'iscsi'>): Promise<void> {
    return this.#guarded(call, request, async () => {
      const device = this.node.devices.get(request.connection.key);
      if (device === undefined) return;
      if (device.holders > 0) throw new VbsError('FAILED_PRECONDITION', `${device.path} is held`);
      device.flush();
      await turn();
      this.node.devices.delete(request.connection.key);
    });
  }

  async listConnections(): Promise<readonly NodeConnection<'iscsi'>[]> {
    return [...this.node.devices.values()].map(connectionOf);
  }

  extendConnection(call: Call, request: ConnectionRequest<'iscsi'> & { readonly sizeBytes: number }): Promise<{ sizeBytes: number }> {
    return this.#guarded(call, request, async () => {
      const device = this.node.devices.get(request.connection.key);
      if (device === undefined) throw new VbsError('NOT_FOUND', 'not connected');
      device.sizeBytes = device.target.bytes.length;
      return { sizeBytes: device.sizeBytes };
    });
  }

  async #guarded<T>(call: Call, request: ConnectionRequest<'iscsi'>, act: () => Promise<T>): Promise<T> {
    if (!attachmentId.test(request.attachmentId)) {
      throw new VbsError('INVALID_ARGUMENT', 'attachmentId must be att- and 17 hex digits', { context: { field: 'attachmentId' } });
    }
    return await this.machine.guarded(call, request.attachmentId, act);
  }
}

/** The plugin, its node's network and devices from outside, one node for each instance. */
export function createMemoryInitiator() {
  const nodes = new Map<string, MemoryNode>();
  const nodeOf = (instance: string): MemoryNode => {
    const node = nodes.get(instance) ?? new MemoryNode();
    nodes.set(instance, node);
    return node;
  };
  const plugin = definePlugin({
    name: 'memory',
    apiVersion: 1,
    provides: {
      initiator: initiator({
        configSchema,
        capabilities: ['extend'],
        protocol: 'iscsi',
        machine: 'local',
        open: async ({ name, machine }) => new MemoryInitiator(nodeOf(name), machine),
      }),
    },
  });
  const expose = (node: MemoryNode, iqn: string, lun: number, { sizeBytes, access }: TargetOptions): InitiatorTarget<'iscsi'> => {
    const serial = `vol${randomBytes(9).toString('hex').slice(0, 17)}`;
    const password = randomBytes(8).toString('hex');
    const target = new MemoryTarget(iqn, lun, serial, password, access === 'read-only', sizeBytes);
    node.targets.set(target.key, target);
    const chap = { user: iqn, password: new Secret(password) };
    return {
      connection: { protocol: 'iscsi', key: target.key, portals: ['127.0.0.1:3260'], iqn, lun, serial, chap },
      bytes: {
        read: async (offset, length) => Buffer.from(target.bytes.subarray(offset, offset + length)),
        write: async (offset, bytes) => void target.bytes.set(bytes, offset),
      },
      grow: async (larger) => target.grow(larger),
      stop: async () => {
        target.alive = false;
        target.deaths += 1;
      },
      start: async () => {
        target.alive = true;
      },
      refuse: async () => {
        target.refuses = true;
      },
      remove: async () => void node.targets.delete(target.key),
    };
  };
  const setup = {
    config: () => ({}),
    makeTarget: async ({ instance }: Surroundings, options: TargetOptions): Promise<InitiatorTarget<'iscsi'>> =>
      expose(nodeOf(instance), `iqn.2009-01.example:${randomBytes(6).toString('hex')}`, 1, options),
    makeBeside: async ({ instance }: Surroundings, { connection }: InitiatorTarget<'iscsi'>, options: TargetOptions) =>
      expose(nodeOf(instance), connection.iqn, connection.lun + 1, options),
    device: ({ instance }: Surroundings, path: string): NodeDevice => {
      const device = nodeOf(instance).device(path);
      return {
        get sizeBytes() {
          return device.sizeBytes;
        },
        // By its path each time, as a program opens it.
        read: async (offset, length) => nodeOf(instance).device(path).read(offset, length),
        write: async (offset, bytes) => {
          // A device without an end to its turn would keep the whole process from its own.
          await turn();
          nodeOf(instance).device(path).write(offset, bytes);
        },
        flush: async () => nodeOf(instance).device(path).flush(),
      };
    },
    hold: (async ({ instance }, path) => {
      const device = nodeOf(instance).device(path);
      device.holders += 1;
      return async () => {
        device.holders -= 1;
      };
    }) satisfies HoldPath,
  };
  return { plugin, setup, nodeOf };
}
