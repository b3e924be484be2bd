import type { Call } from '../contract/call.js';
import type { OpenedBackend, OpenedExporter } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';
import { attachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import { leasedResources } from '../metadata/leases.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { snapshots } from '../metadata/snapshots.js';
import { volumes } from '../metadata/volumes.js';
import { requireFields } from '../model/text.js';
import type { Instances } from './instances.js';
import type { Restorer } from './restorer.js';

export interface ReconcileRequest {
  /** Removes exports that no attachment has, and makes missing ones again. Volumes and snapshots are never deleted so. */
  readonly repair?: boolean;
}

/** Something that the metadata and the outside do not agree on. */
export interface Difference {
  readonly kind: 'volume' | 'snapshot' | 'export';
  readonly id: string;
  /** `orphan`: it is there and the metadata does not know it. `missing`: the metadata knows it and it is not there. */
  readonly what: 'orphan' | 'missing';
  /** The backend or exporter. */
  readonly instance: string;
  /** What was done about it, or is to be done. */
  readonly action: string;
}

export interface ReconcileReport {
  readonly differences: readonly Difference[];
  /** Instances that could not be looked at, and why: nothing is said about what they have. */
  readonly unseen: readonly { readonly instance: string; readonly reason: string }[];
}

/** What differs this soon after it was made may only be on its way. */
const youngMs = 10_000;

interface ReconcilerServices {
  readonly store: MetadataStore;
  readonly instances: Instances;
  readonly restorer: Restorer;
  readonly lookCall: () => Call;
  readonly now: () => number;
}

/** Compares the metadata with the outside: the outside first, so that what came meanwhile is not taken for an orphan (safety D2). */
export class Reconciler {
  readonly #services: ReconcilerServices;

  constructor(services: ReconcilerServices) {
    this.#services = services;
  }

  async reconcile(request: ReconcileRequest = {}): Promise<ReconcileReport> {
    requireFields(request, ['repair']);
    const { instances } = this.#services;
    const unseen: { instance: string; reason: string }[] = [];
    const differences: Difference[] = [];
    const looks = [
      ...instances.backends().map((backend) => [backend.name, () => this.#lookAtBackend(backend)] as const),
      ...instances.exporters().map((exporter) => [exporter.name, () => this.#lookAtExporter(exporter, request.repair === true)] as const),
    ];
    for (const [instance, look] of looks) {
      try {
        differences.push(...(await look()));
      } catch (error) {
        if (!(error instanceof VbsError)) throw error;
        unseen.push({ instance, reason: `${error.code}: ${error.message}` });
      }
    }
    if (request.repair === true) await this.#services.restorer.look();
    return { differences, unseen };
  }

  async #lookAtBackend(backend: OpenedBackend): Promise<Difference[]> {
    const { store, lookCall } = this.#services;
    const { name: instance, contract } = backend;
    const volumesThere = (await contract.listVolumes(lookCall())).map(({ id }) => id);
    const snapshotsThere = backend.capabilities.has('snapshot') ? (await contract.listSnapshots(lookCall())).map(({ id }) => id) : [];
    const volumesKnown = await volumes.list(store.db, (query) => query.where({ backend: instance }));
    const snapshotsKnown = await snapshots.list(store.db, (query) => query.where({ backend: instance }));
    const held = await leasedResources(store.db);
    const settledVolumes = volumesKnown.filter(({ state }) => state === 'available' || state === 'in-use');
    const settledSnapshots = snapshotsKnown.filter(({ state }) => state === 'completed');
    return [
      ...this.#compare('volume', instance, volumesThere, volumesKnown, settledVolumes, held),
      ...this.#compare('snapshot', instance, snapshotsThere, snapshotsKnown, settledSnapshots, held),
    ];
  }

  #compare(
    kind: 'volume' | 'snapshot',
    instance: string,
    there: readonly string[],
    known: readonly { readonly id: string }[],
    settled: readonly { readonly id: string; readonly createdAt: number }[],
    held: ReadonlySet<string>,
  ): Difference[] {
    const knownIds = new Set(known.map(({ id }) => id));
    const thereIds = new Set(there);
    const orphans = there.filter((id) => !knownIds.has(id) && !held.has(id));
    const missing = settled.filter(({ id, createdAt }) => !thereIds.has(id) && !held.has(id) && !this.#isYoung(createdAt));
    return [
      ...orphans.map((id): Difference => ({ kind, id, what: 'orphan', instance, action: `left alone: it may hold data` })),
      ...missing.map(
        ({ id }): Difference => ({
          kind,
          id,
          what: 'missing',
          instance,
          action: `look for it in the pool; delete it here if its data is lost`,
        }),
      ),
    ];
  }

  async #lookAtExporter(exporter: OpenedExporter, repair: boolean): Promise<Difference[]> {
    const { store, lookCall } = this.#services;
    if (!exporter.ownedHere) return [];
    const there = await exporter.contract.listExports(lookCall());
    const live = await exportsTable.list(store.db, (query) => query.where({ exporter: exporter.name, state: 'live' }));
    const attached = await attachments.list(store.db, (query) => query.where({ state: 'attached' }));
    const held = await leasedResources(store.db);
    const liveIds = new Set(live.map(({ id }) => id));
    const wanted = new Set(attached.map(({ exportId }) => exportId));
    const thereIds = new Set(there.map(({ exportId }) => exportId));
    const missing = live.filter(
      ({ id, volumeId, createdAt }) => wanted.has(id) && !thereIds.has(id) && !held.has(volumeId) && !this.#isYoung(createdAt),
    );
    const differences = missing.map(
      ({ id }): Difference => ({
        kind: 'export',
        id,
        what: 'missing',
        instance: exporter.name,
        action: repair ? 'made again' : 'made again by a repair',
      }),
    );
    for (const { exportId, sessions } of there) {
      if (!liveIds.has(exportId))
        differences.push({
          kind: 'export',
          id: exportId,
          what: 'orphan',
          instance: exporter.name,
          action: await this.#removeExport(exporter, exportId, sessions?.length ?? 0, repair),
        });
    }
    return differences;
  }

  async #removeExport(exporter: OpenedExporter, exportId: string, sessions: number, repair: boolean): Promise<string> {
    if (sessions > 0) return 'left alone: somebody is connected';
    if (!repair) return 'removed by a repair';
    await exporter.contract.deleteExport(this.#services.lookCall(), { exportId });
    return 'removed';
  }

  #isYoung(createdAt: number): boolean {
    return this.#services.now() - createdAt < youngMs;
  }
}
