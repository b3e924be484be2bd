import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Access,
  type Call,
  type ConnectionInfo,
  type ContractTypes,
  type ExportRequest,
  Secret,
  serialOf,
  type TargetExport,
} from '@vbs/core';
import { fill, holds, mebibyte, pattern } from '../kit/bytes.js';
import { newId } from '../kit/ids.js';
import type { Scene } from '../kit/scene.js';
import type { Surroundings } from '../kit/setup.js';
import type { ExportableVolume, ExportClient } from './setup.js';

export interface ExporterStageOptions {
  readonly makeVolume: (surroundings: Surroundings, sizeBytes: number) => Promise<ExportableVolume>;
  readonly connect: (
    connection: never,
    options: { readonly chap?: NonNullable<ExportRequest['chap']>; readonly surroundings: Surroundings },
  ) => Promise<ExportClient>;
  readonly initiators?: readonly string[];
  readonly stranger?: string;
  readonly clientSeenMs?: number;
  readonly sizeBytes?: number;
}

/** A volume and the request by which it is exported. */
export interface Prepared {
  readonly request: ExportRequest;
  readonly volume: ExportableVolume;
  /** What the volume held when it was made. */
  readonly content: Buffer;
}
export interface Exported extends Prepared {
  readonly connection: ConnectionInfo;
}

/** How long a client that left may be seen, in milliseconds, unless the set-up tells. */
const usuallySeenMs = 5_000;
const epochOfTheEnd = 1_000_000;

/** Exports, their clients and the volumes behind them. */
export class ExporterStage {
  readonly scene: Scene<'targetExporter'>;
  readonly sizeBytes: number;
  readonly #options: ExporterStageOptions;
  readonly #exports = new Set<string>();
  readonly #clients: ExportClient[] = [];
  #drawn = 0;

  constructor(scene: Scene<'targetExporter'>, options: ExporterStageOptions) {
    this.scene = scene;
    this.sizeBytes = options.sizeBytes ?? mebibyte;
    this.#options = options;
    scene.beforeClose(() => this.#removeAll());
  }

  /** The name of somebody who is on no access list. */
  get stranger(): string {
    return this.#options.stranger ?? 'iqn.2009-01.example:somebody-else';
  }

  get exporter(): ContractTypes['targetExporter']['contract'] {
    return this.scene.contract;
  }

  call(overrides: Partial<Call> = {}): Call {
    return this.scene.newCall(overrides);
  }

  /** A volume full of bytes, and a request to export it, with everything that the exporter's capabilities call for. */
  async prepare({
    access = 'read-write' as Access,
    exportId = newId('export'),
    of = undefined as Prepared | undefined,
  } = {}): Promise<Prepared> {
    const { addresses } = this.scene.opened.traits;
    const volume = of?.volume ?? (await this.#options.makeVolume(this.scene, this.sizeBytes));
    if (of === undefined) this.scene.atEnd(() => volume.remove());
    const id = of?.request.volume.id ?? newId('volume');
    this.#exports.add(exportId);
    if (this.scene.has('acl')) assert.ok(this.#options.initiators, 'the exporter declares acl: give `initiators` in the set-up');
    const request = {
      exportId,
      volume: { id, sizeBytes: this.sizeBytes, locator: volume.locator },
      access,
      serial: serialOf(id),
      ...(addresses === undefined ? {} : { address: addresses.first + this.#drawn++ }),
      ...(this.scene.has('chap') ? { chap: { user: exportId, password: new Secret(randomBytes(12).toString('hex')) } } : {}),
      ...(this.scene.has('acl') ? { initiators: this.#options.initiators ?? [] } : {}),
    };
    return { request, volume, content: of?.content ?? (await fill(volume, this.sizeBytes, id)) };
  }

  create({ request }: Prepared, overrides: Partial<Call> = {}): Promise<ConnectionInfo> {
    return this.exporter.createExport(this.call(overrides), request);
  }

  async export(options: { access?: Access; of?: Prepared } = {}): Promise<Exported> {
    const prepared = await this.prepare(options);
    return { ...prepared, connection: await this.create(prepared) };
  }

  delete(exportId: string): Promise<void> {
    return this.exporter.deleteExport(this.call(), { exportId });
  }

  /** As the core does: the connection of createExport, and the credentials of the request. */
  async connect({ request }: Prepared, connection: ConnectionInfo, chap = request.chap): Promise<ExportClient> {
    const options = { surroundings: this.scene, ...(chap === undefined ? {} : { chap }) };
    const client = await this.#options.connect(connection as never, options);
    this.#clients.push(client);
    return client;
  }

  client(exported: Exported): Promise<ExportClient> {
    return this.connect(exported, exported.connection);
  }

  async listed(exportId: string): Promise<TargetExport | undefined> {
    const found = (await this.exporter.listExports(this.call())).filter((one) => one.exportId === exportId);
    assert.ok(found.length <= 1, `listExports lists ${exportId} ${found.length} times`);
    return found[0];
  }

  async ids(): Promise<readonly string[]> {
    return (await this.exporter.listExports(this.call())).map(({ exportId }) => exportId).sort();
  }

  /** Writes through a client, and finds it in the volume. */
  async worksThrough(client: ExportClient, { volume, content }: Prepared, label = 'through the export'): Promise<void> {
    const piece = pattern(label, 4096);
    const at = content.length - piece.length;
    await client.write(at, piece);
    await client.flush();
    content.set(piece, at);
    await holds(volume, content, 'what was written through the export, in the volume');
    await holds(client, content, 'the volume through the export');
  }

  /** Waits until nobody is seen on an export, where the exporter tells: a client that left may be seen for a moment. */
  async deserted(exportId: string): Promise<void> {
    const seenMs = this.#options.clientSeenMs ?? usuallySeenMs;
    const end = Date.now() + seenMs;
    while (((await this.listed(exportId))?.sessions ?? []).length > 0) {
      assert.ok(Date.now() < end, `${exportId} still has sessions ${seenMs} ms after its last client left`);
      await pause(10);
    }
  }

  /** Reads and writes on an export of its own without a pause, until it is asked how that went. */
  async busyNeighbour(): Promise<{ undisturbed(): Promise<void> }> {
    const neighbour = await this.export();
    const client = await this.client(neighbour);
    const before = await this.listed(neighbour.request.exportId);
    let stop = false;
    const going = (async () => {
      let rounds = 0;
      while (!stop && rounds < 100_000) {
        const piece = pattern(`round ${rounds}`, 4096);
        const offset = (rounds % 16) * 4096;
        await client.write(offset, piece);
        assert.equal(Buffer.compare(await client.read(offset, piece.length), piece), 0, "the neighbour's bytes");
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
        await this.worksThrough(client, neighbour, 'at the end');
        assert.deepEqual(await this.listed(neighbour.request.exportId), before, 'the neighbouring export as it is listed');
      },
    };
  }

  async disconnectAll(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.disconnect();
  }

  async #removeAll(): Promise<void> {
    await this.disconnectAll();
    for (const exportId of await this.ids()) {
      if (!this.#exports.has(exportId)) continue;
      await this.deserted(exportId);
      await this.exporter.deleteExport(this.call({ epoch: epochOfTheEnd }), { exportId });
    }
    const left = (await this.ids()).filter((exportId) => this.#exports.has(exportId));
    assert.deepEqual(left, [], 'what could not be removed after the test');
  }
}
