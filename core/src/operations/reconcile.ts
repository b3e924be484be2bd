import type { Call } from '../contract/call.js';
import type { ConnectionInfo } from '../contract/connection.js';
import type { OpenedBackend, OpenedExporter, VmmDelegate } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';
import { attachments } from '../metadata/attachments.js';
import { type ExportRecord, exportsTable, isLiveKey } from '../metadata/exports.js';
import { leasedResources } from '../metadata/leases.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { freeNumbersOfNode } from '../metadata/numbers.js';
import { snapshots } from '../metadata/snapshots.js';
import { volumes } from '../metadata/volumes.js';
import { type OperationEngine, resultOf } from '../workflow/operation-engine.js';
import { neverWhole } from './adopt-orphan.js';
import type { Instances } from './instances.js';
import { type Leftover, planRemoveLeftover } from './remove-leftover.js';
import type { Restorer } from './restorer.js';
import type { Workflows } from './workflows.js';

/** What may be done beyond looking. */
export interface ReconcileRequest {
  /** Removes exports and connections that no attachment has, and makes missing exports again; never a volume or snapshot. */
  readonly repair?: boolean;
  /** Takes a store that is older than its pools for the right one. */
  readonly accept?: boolean;
  /** The id of a volume or snapshot that lies in a pool: takes it into the metadata. */
  readonly adopt?: string;
  /** The id of a volume or snapshot that lies in a pool, unknown to the metadata: deletes it and its data. */
  readonly delete?: string;
}

/** Something that the metadata and the outside do not agree on. */
export interface Difference {
  readonly kind: 'volume' | 'snapshot' | 'export' | 'connection' | 'device';
  readonly id: string;
  /** `orphan`: it is there and the metadata does not know it. `missing`: the metadata knows it and it is not there. */
  readonly what: 'orphan' | 'missing';
  /** The backend, exporter, initiator or hypervisor. */
  readonly instance: string;
  /** What was done about it, or is to be done. */
  readonly action: string;
}

/** Where metadata and the outside do not agree. */
export interface ReconcileReport {
  readonly differences: readonly Difference[];
  /** Instances that could not be looked at, and why: nothing is said about what they have. */
  readonly unseen: readonly { readonly instance: string; readonly reason: string }[];
}

interface ReconcilerServices {
  readonly store: MetadataStore;
  readonly instances: Instances;
  readonly engine: OperationEngine;
  readonly workflows: Workflows;
  readonly restorer: Restorer;
  readonly lookCall: () => Call;
  readonly now: () => number;
}

/** A difference, and what a repair would remove. */
interface Found {
  readonly difference: Difference;
  readonly leftover?: Leftover;
}

/** What differs this soon after it was made may only be on its way. */
const youngMs = 10_000;

/** Compares the metadata with the outside: the outside first, so that what came meanwhile is not taken for an orphan (safety D2). */
export class Reconciler {
  readonly #services: ReconcilerServices;

  constructor(services: ReconcilerServices) {
    this.#services = services;
  }

  async reconcile({ repair = false }: Pick<ReconcileRequest, 'repair'>): Promise<ReconcileReport> {
    const { instances, restorer } = this.#services;
    if (repair) await restorer.look();
    const unseen: { instance: string; reason: string }[] = [];
    const found: Found[] = [];
    const looks = [
      ...instances.backends().map((backend) => [backend.name, () => this.#lookAtBackend(backend)] as const),
      ...instances.exporters().map((exporter) => [exporter.name, () => this.#lookAtExporter(exporter)] as const),
      ...instances.nodes().map((node) => [node.name, () => this.#lookAtNode(node, repair)] as const),
    ];
    for (const [instance, look] of looks) {
      try {
        found.push(...(await look()));
      } catch (error) {
        if (!(error instanceof VbsError)) throw error;
        unseen.push({ instance, reason: `${error.code}: ${error.message}` });
      }
    }
    const differences: Difference[] = [];
    for (const { difference, leftover } of found)
      differences.push(repair && leftover !== undefined ? await this.#remove(difference, leftover) : difference);
    return { differences, unseen };
  }

  async #lookAtBackend(backend: OpenedBackend): Promise<Found[]> {
    const { store, lookCall } = this.#services;
    const { name: instance, contract } = backend;
    const volumesThere = (await contract.listVolumes(lookCall())).map(({ id, filling }) => ({ id, whole: filling !== true }));
    const snapshotsThere = backend.capabilities.has('snapshot')
      ? (await contract.listSnapshots(lookCall())).map(({ id }) => ({ id, whole: true }))
      : [];
    const volumesKnown = await volumes.list(store.db, (query) => query.where({ backend: instance }));
    const snapshotsKnown = await snapshots.list(store.db, (query) => query.where({ backend: instance }));
    const held = await leasedResources(store.db);
    const settledVolumes = volumesKnown.filter(({ state }) => state === 'available' || state === 'in-use');
    const settledSnapshots = snapshotsKnown.filter(({ state }) => state === 'completed');
    return [
      ...this.#compare({ kind: 'volume', instance, there: volumesThere, known: volumesKnown, settled: settledVolumes, held }),
      ...this.#compare({ kind: 'snapshot', instance, there: snapshotsThere, known: snapshotsKnown, settled: settledSnapshots, held }),
    ];
  }

  #compare({ kind, instance, there, known, settled, held }: Comparison): Found[] {
    const knownIds = new Set(known.map(({ id }) => id));
    const thereIds = new Set(there.filter(({ whole }) => whole).map(({ id }) => id));
    const orphans = there.filter(({ id }) => !knownIds.has(id) && !held.has(id));
    const missing = settled.filter(({ id, createdAt }) => !thereIds.has(id) && !held.has(id) && !this.#isYoung(createdAt));
    const lost = 'look for it in the pool; delete it here if its data is lost';
    const kept = 'left alone, it may hold data: adopt or delete it by its id';
    const half = `left alone, ${neverWhole}: delete it by its id`;
    return [
      ...orphans.map(({ id, whole }): Found => ({ difference: { kind, id, what: 'orphan', instance, action: whole ? kept : half } })),
      ...missing.map(({ id }): Found => ({ difference: { kind, id, what: 'missing', instance, action: lost } })),
    ];
  }

  async #lookAtExporter(exporter: OpenedExporter): Promise<Found[]> {
    const { store, lookCall } = this.#services;
    const { name: instance } = exporter;
    if (!exporter.ownedHere) return [];
    const there = await exporter.contract.listExports(lookCall());
    const known = await exportsTable.list(store.db, (query) => query.where({ exporter: instance }));
    const attached = new Set(
      (await attachments.list(store.db, (query) => query.where({ state: 'attached' }))).map(({ exportId }) => exportId),
    );
    const held = await leasedResources(store.db);
    const byId = new Map(known.map((record) => [record.id, record]));
    const thereIds = new Set(there.map(({ exportId }) => exportId));
    const missing = known.filter(
      ({ id, volumeId, createdAt }) => attached.has(id) && !thereIds.has(id) && !held.has(volumeId) && !this.#isYoung(createdAt),
    );
    const orphans = there.filter(
      ({ exportId }) => byId.get(exportId)?.state !== 'live' && !held.has(byId.get(exportId)?.volumeId ?? exportId),
    );
    return [
      ...missing.map(
        ({ id }): Found => ({ difference: { kind: 'export', id, what: 'missing', instance, action: 'made again by a repair' } }),
      ),
      ...orphans.map(({ exportId, sessions }): Found => {
        const difference = { kind: 'export', id: exportId, what: 'orphan', instance } as const;
        if (sessions !== undefined && sessions.length > 0)
          return { difference: { ...difference, action: 'left alone: somebody is connected' } };
        const leftover: Leftover = { kind: 'export', exporter: instance, exportId, volumeId: byId.get(exportId)?.volumeId ?? null };
        return { difference: { ...difference, action: 'removed by a repair' }, leftover };
      }),
    ];
  }

  /** Connections and disks of exports that were deleted; what VBS never made, and what is attached now, is not looked at further. */
  async #lookAtNode(node: VmmDelegate, repair: boolean): Promise<Found[]> {
    const { store, lookCall } = this.#services;
    const { hypervisor } = node;
    if (!hypervisor.ownedHere) return [];
    const devices = await hypervisor.contract.listDevices(lookCall());
    const listed: { initiator: string; connection: ConnectionInfo }[] = [];
    for (const { name: initiator, contract } of node.initiators.values()) {
      for (const { connection } of await contract.listConnections(lookCall())) listed.push({ initiator, connection });
    }
    const held = await leasedResources(store.db);
    const found: Found[] = [];
    for (const { vm, slot, source } of devices) {
      const ended =
        source?.kind === 'connection' ? await this.#endedExport({ node: node.name, initiator: null }, source.connection, held) : null;
      if (ended === null) continue;
      const action = `left alone: take ${slot} out of ${vm} there`;
      found.push({ difference: { kind: 'device', id: ended.attachmentId, what: 'orphan', instance: hypervisor.name, action } });
    }
    for (const { initiator, connection } of listed) {
      const ended = await this.#endedExport({ node: node.name, initiator }, connection, held);
      if (ended === null) continue;
      const { attachmentId, id: exportId, volumeId } = ended;
      const difference = {
        kind: 'connection',
        id: attachmentId,
        what: 'orphan',
        instance: initiator,
        action: 'removed by a repair',
      } as const;
      found.push({
        difference,
        leftover: { kind: 'connection', node: node.name, initiator, attachmentId, connection, exportId, volumeId },
      });
    }
    if (repair) {
      const keys = [
        ...listed.map(({ connection }) => connection.key),
        ...devices.flatMap(({ source }) => (source?.kind === 'connection' ? [source.connection.key] : [])),
      ];
      await store.transaction(({ trx }) =>
        freeNumbersOfNode(trx, { node: node.name, initiators: [...node.initiators.values()].map(({ name }) => name), keys }),
      );
    }
    return found;
  }

  /**
   * The last export to here that a connection is left of, with its attachment; null where another one has it now, or an operation is about
   * it. An address that was given out again may have been another node's since.
   */
  async #endedExport(
    here: Pick<ExportRecord, 'node' | 'initiator'>,
    { protocol, key }: ConnectionInfo,
    held: ReadonlySet<string>,
  ): Promise<(ExportRecord & { readonly attachmentId: string }) | null> {
    const { db } = this.#services.store;
    if (await isLiveKey(db, key)) return null;
    const row = await exportsTable
      .query(db)
      .where({ ...here, connection_key: key })
      .orderBy('seq', 'desc')
      .first();
    if (row === undefined) return null;
    const ended = exportsTable.toRecord(row);
    const { attachmentId, connection, volumeId } = ended;
    if (attachmentId === null || connection?.protocol !== protocol || held.has(volumeId)) return null;
    return { ...ended, attachmentId };
  }

  async #remove(difference: Difference, leftover: Leftover): Promise<Difference> {
    const { engine, workflows } = this.#services;
    try {
      const { record } = await engine.begin(planRemoveLeftover(workflows.removeLeftover, leftover), { wait: false });
      resultOf(await engine.wait(record.id));
      return { ...difference, action: 'removed' };
    } catch (error) {
      if (error instanceof VbsError) return { ...difference, action: `not removed: ${error.code}: ${error.message}` };
      throw error;
    }
  }

  #isYoung(createdAt: number): boolean {
    return this.#services.now() - createdAt < youngMs;
  }
}

interface Comparison {
  readonly kind: 'volume' | 'snapshot';
  readonly instance: string;
  readonly there: readonly { readonly id: string; readonly whole: boolean }[];
  readonly known: readonly { readonly id: string }[];
  readonly settled: readonly { readonly id: string; readonly createdAt: number }[];
  readonly held: ReadonlySet<string>;
}
