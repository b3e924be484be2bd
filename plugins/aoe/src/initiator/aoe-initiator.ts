import {
  type Call,
  type ConnectionInfo,
  type ConnectionRequest,
  type ConnectRequest,
  type Initiator,
  type Instance,
  isVbsError,
  type Lifecycle,
  type NodeConnection,
  OneAtATime,
  VbsError,
} from '@vbs/core';
import { type AoeAddress, requireAccess, requireSize, wantedConnection } from './address.js';
import { checkNode } from './check.js';
import type { commands } from './commands.js';
import type { AoeInitiatorConfig } from './config.js';
import { connect } from './connect.js';
import { AoeDevices } from './devices.js';
import { disconnect } from './disconnect.js';
import { extendConnection } from './extend-connection.js';
import { macAddresses } from './interfaces.js';
import { AoeKernel } from './kernel.js';
import type { Tools } from './tools.js';

export const aoeInitiatorCapabilities = ['extend'] as const;
type Capability = (typeof aoeInitiatorCapabilities)[number];
type Contract = Initiator<Capability, 'aoe'> & Lifecycle<Capability>;

/** Connects a node to AoE exports by the kernel's aoe module: `/dev/etherd/e<shelf>.<slot>`. */
export class AoeInitiator implements Contract {
  readonly #tools: Tools;
  readonly #turns = new OneAtATime();

  private constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** Changes nothing: what the node lacks, each call tells, and `check`. */
  static async open({ config, machine, commands: runner }: Instance<AoeInitiatorConfig, 'any', typeof commands>): Promise<AoeInitiator> {
    return new AoeInitiator({ config, machine, devices: new AoeDevices(machine), kernel: new AoeKernel(runner, machine) });
  }

  /** @throws FAILED_PRECONDITION: an interface of the configuration is not there. */
  async getIdentity(call: Call): Promise<{ readonly initiators: readonly string[] }> {
    return { initiators: await macAddresses(call, this.#tools) };
  }

  /**
   * AoE has no serial number that VBS could set: size, interface and the address, which no two exports have at a time, must be right.
   * @throws FAILED_PRECONDITION: the aoe module is not loaded; another size or interface; a device that is down and held.
   * @throws UNAVAILABLE: no target answers. PERMISSION_DENIED: a command wants sudo.
   */
  async connect(call: Call, request: ConnectRequest<'aoe'>): Promise<NodeConnection<'aoe'>> {
    const wanted = wantedConnection(request);
    requireSize(request);
    requireAccess(request);
    const { sizeBytes, access } = request;
    await this.#alone(call, wanted.key, () => connect(call, this.#tools, wanted, { sizeBytes, access }));
    return { connection: connectionOf(wanted, request.connection.serial), devicePath: wanted.devicePath, sizeBytes };
  }

  /** @throws UNAVAILABLE: the device comes back each time, since a discovery finds its vblade. */
  async disconnect(call: Call, request: ConnectionRequest<'aoe'>): Promise<void> {
    const wanted = wantedConnection(request);
    await this.#alone(call, wanted.key, () => disconnect(call, this.#tools, wanted));
  }

  /** Also devices that are down, of size 0: each keeps its address until it was disconnected (safety E1). */
  async listConnections(call: Call): Promise<readonly NodeConnection<'aoe'>[]> {
    const found = await this.#tools.devices.list(call);
    return found.map((device) => ({ connection: connectionOf(device, ''), devicePath: device.devicePath, sizeBytes: device.sizeBytes }));
  }

  /** @throws NOT_FOUND: it is not connected. UNAVAILABLE: the target does not answer, or does not show the size. */
  async extendConnection(
    call: Call,
    request: ConnectionRequest<'aoe'> & { readonly sizeBytes: number },
  ): Promise<{ readonly sizeBytes: number }> {
    const wanted = wantedConnection(request);
    requireSize(request);
    return { sizeBytes: await this.#alone(call, wanted.key, () => extendConnection(call, this.#tools, wanted, request.sizeBytes)) };
  }

  async check(call: Call): Promise<readonly string[]> {
    return await checkNode(call, this.#tools);
  }

  /**
   * One change of a device at a time. A call that was cancelled between two commands has not left everything as it was (safety A1),
   * though the command that it met had not begun.
   */
  #alone<T>(call: Call, key: string, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(key, async () => {
      try {
        return await act();
      } catch (error) {
        if (!isVbsError(error) || error.code !== 'ABORTED' || !this.#tools.kernel.hasChanged(call)) throw error;
        throw new VbsError('DEADLINE_EXCEEDED', `${key} was changed in part: ${error.message}`, { context: error.context, cause: error });
      }
    });
  }
}

function connectionOf({ shelf, slot, key }: AoeAddress, serial: string): ConnectionInfo<'aoe'> {
  return { protocol: 'aoe', key, shelf, slot, serial };
}
