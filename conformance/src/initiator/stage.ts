import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import type { Access, Call, ConnectionInfo, ConnectRequest, ContractTypes, NodeConnection } from '@vbs/core';
import { fill, holds, mebibyte, pattern } from '../kit/bytes.js';
import { newId } from '../kit/ids.js';
import type { Scene } from '../kit/scene.js';
import type { Surroundings } from '../kit/setup.js';
import type { InitiatorTarget, NodeDevice, TargetOptions } from './setup.js';

export interface InitiatorStageOptions {
  readonly makeTarget: (surroundings: Surroundings, options: TargetOptions) => Promise<InitiatorTarget>;
  readonly makeBeside?: (surroundings: Surroundings, first: never, options: TargetOptions) => Promise<InitiatorTarget>;
  readonly device: (surroundings: Surroundings, path: string) => NodeDevice | Promise<NodeDevice>;
  readonly showsSerial?: boolean;
  readonly appearsByItself?: boolean;
  readonly sizeBytes?: number;
  readonly atOnce?: number;
}

/** An export, and the request by which it is connected. */
export interface Reachable {
  readonly request: ConnectRequest;
  readonly target: InitiatorTarget;
  content: Buffer;
}
export interface Connected extends Reachable {
  readonly answer: NodeConnection;
}

const epochOfTheEnd = 1_000_000;

/** Targets, and what the node is connected to. */
export class InitiatorStage {
  readonly scene: Scene<'initiator'>;
  readonly options: InitiatorStageOptions;
  readonly sizeBytes: number;
  readonly #asked = new Map<string, ConnectRequest>();

  constructor(scene: Scene<'initiator'>, options: InitiatorStageOptions) {
    this.scene = scene;
    this.options = options;
    this.sizeBytes = options.sizeBytes ?? mebibyte;
    scene.beforeClose(() => this.#disconnectAll());
  }

  get initiator(): ContractTypes['initiator']['contract'] {
    return this.scene.contract;
  }

  call(overrides: Partial<Call> = {}): Call {
    return this.scene.newCall(overrides);
  }

  /** A target full of bytes of its own, and the request to connect to it. `beside`: it shares that one's session. */
  async target({ access = 'read-write' as Access, beside = undefined as Reachable | undefined } = {}): Promise<Reachable> {
    const { initiators } = await this.initiator.getIdentity(this.call());
    const options = { sizeBytes: this.sizeBytes, access, initiators };
    const { makeTarget, makeBeside } = this.options;
    assert.ok(beside === undefined || makeBeside !== undefined);
    const target =
      beside === undefined || makeBeside === undefined
        ? await makeTarget(this.scene, options)
        : await makeBeside(this.scene, beside.target as never, options);
    this.scene.atEnd(() => target.remove());
    assert.equal(target.connection.protocol, this.scene.opened.provider.protocol, 'the protocol of the connection of `makeTarget`');
    const content = await fill(target.bytes, this.sizeBytes, target.connection.key);
    const request = { attachmentId: newId('attachment'), connection: target.connection, sizeBytes: this.sizeBytes, access };
    return { request, target, content };
  }

  connect({ request }: Reachable, overrides: Partial<Call> = {}): Promise<NodeConnection> {
    this.#asked.set(request.attachmentId, request);
    return this.initiator.connect(this.call(overrides), request);
  }

  async connected(options: { access?: Access; beside?: Reachable } = {}): Promise<Connected> {
    const reachable = await this.target(options);
    return { ...reachable, answer: await this.connect(reachable) };
  }

  /** As the core asks: with the recorded connection, which has no credentials. */
  disconnect({ request }: Reachable, overrides: Partial<Call> = {}): Promise<void> {
    const { attachmentId, connection } = request;
    return this.initiator.disconnect(this.call(overrides), { attachmentId, connection: withoutCredentials(connection) });
  }

  list(): Promise<readonly NodeConnection[]> {
    return this.initiator.listConnections(this.call());
  }

  async listed({ request }: Reachable): Promise<NodeConnection | undefined> {
    const found = (await this.list()).filter(({ connection }) => connection.key === request.connection.key);
    assert.ok(found.length <= 1, `listConnections lists ${request.connection.key} ${found.length} times`);
    return found[0];
  }

  async device({ answer }: Connected): Promise<NodeDevice> {
    return await this.options.device(this.scene, answer.devicePath);
  }

  /** Writes through the device, and finds it at the target; reads all of it through the device. */
  async works(connected: Connected, label = 'through the device'): Promise<void> {
    const device = await this.device(connected);
    const piece = pattern(`${label} of ${connected.request.connection.key}`, 4096);
    const at = connected.content.length - piece.length;
    await device.write(at, piece);
    await device.flush();
    piece.copy(connected.content, at);
    await holds(connected.target.bytes, connected.content, 'what was written through the device, at the target');
    await holds(device, connected.content, `the device ${connected.answer.devicePath}`);
  }

  /** Disconnected: neither listed nor to be read. */
  async gone(connected: Connected): Promise<void> {
    assert.equal(await this.listed(connected), undefined, 'the connection is still listed');
    await assert.rejects(async () => (await this.device(connected)).read(0, 512), `${connected.answer.devicePath} can still be read`);
  }

  /** Never connected, as far as a node can show it. */
  async leftNothing(reachable: Reachable, what: string): Promise<void> {
    if (this.options.appearsByItself === true) return;
    assert.equal(await this.listed(reachable), undefined, `${what}: a connection is left`);
  }

  /** Reads and writes on a device of its own without a pause, until it is asked how that went. */
  async busyNeighbour(of?: Connected): Promise<{ undisturbed(): Promise<void> }> {
    const neighbour = of ?? (await this.connected());
    const device = await this.device(neighbour);
    const before = await this.listed(neighbour);
    let stop = false;
    const going = (async () => {
      let rounds = 0;
      while (!stop && rounds < 100_000) {
        const piece = pattern(`round ${rounds}`, 4096);
        const offset = (rounds % 16) * 4096;
        await device.write(offset, piece);
        assert.equal(Buffer.compare(await device.read(offset, piece.length), piece), 0, "the neighbour's bytes");
        neighbour.content.set(piece, offset);
        rounds += 1;
      }
      return rounds;
    })();
    // A loss in the middle is told when it is asked for, and is no unhandled rejection until then.
    going.catch(() => undefined);
    return {
      undisturbed: async () => {
        stop = true;
        assert.ok((await going) > 0, 'the neighbour did nothing');
        await this.works(neighbour, 'at the end');
        assert.deepEqual(await this.listed(neighbour), before, 'the neighbouring connection as it is listed');
      },
    };
  }

  async #disconnectAll(): Promise<void> {
    const faults: string[] = [];
    for (const request of this.#asked.values()) {
      const { attachmentId, connection } = request;
      const end = this.initiator.disconnect(this.call({ epoch: epochOfTheEnd }), {
        attachmentId,
        connection: withoutCredentials(connection),
      });
      await end.catch((error: unknown) => faults.push(inspect(error)));
      const left = (await this.list()).some(({ connection: { key } }) => key === connection.key);
      if (left && this.options.appearsByItself !== true) faults.push(`${connection.key} is still connected`);
    }
    assert.deepEqual(faults, [], 'what could not be disconnected after the test');
  }
}

/** The connection as the core records it. */
export function withoutCredentials(connection: ConnectionInfo): ConnectionInfo {
  if (!('chap' in connection)) return connection;
  const { chap: _chap, ...rest } = connection;
  return rest;
}
