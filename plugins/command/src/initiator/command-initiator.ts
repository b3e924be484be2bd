import {
  type Call,
  type ConnectionRequest,
  type ConnectRequest,
  type Initiator,
  type Instance,
  type Lifecycle,
  type NodeConnection,
  OneAtATime,
  toVbsError,
  VbsError,
} from '@vbs/core';
import { poll } from '../rules/poll.js';
import type { CommandInitiatorConfig } from './config.js';
import { connect } from './connect.js';
import { disconnect } from './disconnect.js';
import { wantedConnection } from './iscsi.js';
import { type ConnectedDisk, Parts } from './parts.js';
import { initiatorRules } from './rules.js';

const passingLimitMs = 1_000;

/** Brings exports to block devices of a node by command patterns, and looks by rules for what commands print and sysfs holds. */
export class CommandInitiator implements Initiator<'extend', 'iscsi'>, Lifecycle<'extend'> {
  readonly capabilities: ReadonlySet<'extend'>;
  readonly #parts: Parts;
  readonly #turns = new OneAtATime();

  /** @throws CONFIG_INVALID: `context.faults` lists what the configuration lacks. */
  constructor({ name, machine, config }: Instance<CommandInitiatorConfig>) {
    const rules = initiatorRules(name, config);
    this.#parts = new Parts(machine, rules);
    this.capabilities = new Set(rules.extend.length > 0 ? (['extend'] as const) : []);
  }

  /** @throws FAILED_PRECONDITION: no line tells a name. */
  async getIdentity(call: Call): Promise<{ readonly initiators: readonly string[] }> {
    const { tools, rules } = this.#parts;
    const rows = await tools.read(call, 'identity', rules.identity);
    const initiators = [...new Set(rows.flatMap(({ name }) => (name === undefined || name === '' ? [] : [name])))];
    if (initiators.length > 0) return { initiators };
    throw new VbsError('FAILED_PRECONDITION', 'The command identity tells no name under which this node connects.');
  }

  async connect(call: Call, request: ConnectRequest<'iscsi'>): Promise<NodeConnection<'iscsi'>> {
    const wanted = wantedConnection(request.attachmentId, request.connection);
    return plain(await this.#turns.run(wanted.connection.iqn, () => connect(call, this.#parts, wanted, request)));
  }

  async disconnect(call: Call, request: ConnectionRequest<'iscsi'>): Promise<void> {
    const wanted = wantedConnection(request.attachmentId, request.connection);
    await this.#turns.run(wanted.connection.iqn, () => disconnect(call, this.#parts, wanted));
  }

  /** @throws INTERNAL: a listed disk has no size, and stays listed: is the file of `size` another? */
  async listConnections(call: Call): Promise<readonly NodeConnection<'iscsi'>[]> {
    let disks: readonly ConnectedDisk[] = [];
    await poll(call, passingLimitMs, async () => {
      disks = await this.#parts.list(call);
      return disks.every(({ sizeBytes }) => sizeBytes !== undefined) ? true : undefined;
    });
    // The first of a connection that several sessions show.
    return [...new Map(disks.toReversed().map((disk) => [disk.connection.key, plain(disk)])).values()].reverse();
  }

  /** @throws NOT_FOUND: it is not connected. DEADLINE_EXCEEDED: the kernel does not show the size. */
  async extendConnection(
    call: Call,
    request: ConnectionRequest<'iscsi'> & { readonly sizeBytes: number },
  ): Promise<{ readonly sizeBytes: number }> {
    const parts = this.#parts;
    const { sizeBytes, attachmentId } = request;
    const wanted = wantedConnection(attachmentId, request.connection);
    return await this.#turns.run(wanted.connection.iqn, async () => {
      const { disk } = await parts.listed(call, wanted);
      if (disk === undefined) {
        throw new VbsError('NOT_FOUND', `${wanted.connection.key} is not connected.`, { resource: attachmentId });
      }
      if (disk.sizeBytes !== undefined && disk.sizeBytes >= sizeBytes) return { sizeBytes: disk.sizeBytes };
      await parts.run(call, 'extend', disk.values, attachmentId);
      const grown = await poll(call, parts.rules.deviceTimeoutMs, async () => {
        const now = (await parts.listed(call, wanted)).disk?.sizeBytes;
        return now !== undefined && now >= sizeBytes ? now : undefined;
      });
      if (grown !== undefined) return { sizeBytes: grown };
      throw new VbsError('DEADLINE_EXCEEDED', `${disk.devicePath} does not show ${sizeBytes} bytes: is the export larger?`, {
        resource: attachmentId,
        context: { sizeBytes: disk.sizeBytes ?? null },
      });
    });
  }

  async check(call: Call): Promise<readonly string[]> {
    const outcomes = await Promise.allSettled([this.getIdentity(call), this.listConnections(call)]);
    return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [toVbsError(outcome.reason).message] : []));
  }
}

/** @throws INTERNAL: it has no size. */
function plain({ connection, devicePath, sizeBytes, disk }: ConnectedDisk): NodeConnection<'iscsi'> {
  if (sizeBytes !== undefined) return { connection, devicePath, sizeBytes };
  throw new VbsError('INTERNAL', `${disk} is listed, and the file that is configured as "size" does not tell its size.`, {
    context: { device: devicePath, disk },
  });
}
