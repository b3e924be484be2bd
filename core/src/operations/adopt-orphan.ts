import type { Call } from '../contract/call.js';
import type { VolumeLocator } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import type { StoreTransaction } from '../metadata/metadata-store.js';
import { snapshots } from '../metadata/snapshots.js';
import { volumes } from '../metadata/volumes.js';
import { isId } from '../model/ids.js';
import type { OperationPlan } from '../workflow/journal.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';

/** Of a volume whose fill from a snapshot was interrupted (safety C5). */
export const neverWhole = 'it was never whole, its fill from a snapshot was interrupted';

export interface AdoptOrphanParams {
  readonly id: string;
  /** It is adopted only to be deleted, which is all that can be done with a volume that was never whole. */
  readonly toDelete: boolean;
}

/** What lies in a pool under the id. */
interface Orphan {
  readonly backend: string;
  readonly sizeBytes: number;
  /** Of a volume. */
  readonly locator: VolumeLocator | null;
  /** Of a snapshot. */
  readonly volumeId: string | null;
  /** Why its content is lost, or was never whole. */
  readonly invalid: string | null;
}

interface AdoptOrphanOutput {
  readonly orphan: Orphan;
}

/**
 * adopt-orphan: takes a volume or snapshot that lies in a pool and that the metadata do not know into the metadata (safety D2), a volume
 * as `available`, a snapshot as `completed`, one whose content is lost as `error`. It holds the id's lease from before it looks.
 */
export function adoptOrphanWorkflow(instances: Instances): Workflow<AdoptOrphanParams, AdoptOrphanOutput> {
  return {
    kind: 'adopt-orphan',
    recovery: 'forward',
    steps: () => [
      {
        name: 'find-orphan',
        changes: false,
        async do({ call, params: { id, toDelete } }) {
          const orphan = isId('volume', id) ? await findVolume(instances, call, id) : await findSnapshot(instances, call, id);
          if (orphan === null) throw new VbsError('NOT_FOUND', `no pool has ${id}`, { resource: id });
          if (orphan.volumeId === null && orphan.invalid !== null && !toDelete) {
            throw new VbsError('FAILED_PRECONDITION', `${id}: ${orphan.invalid}; delete it`, { resource: id });
          }
          return { orphan };
        },
      },
    ],
    instances: () => instances.backends().map(({ name }) => name),
    guards: () => [],
    async succeed(tx, { id: operationId, params: { id }, output: { orphan } }) {
      if (orphan === undefined) throw new TypeError('an orphan was adopted that was not found');
      await insert(tx, operationId, id, orphan);
      return null;
    },
    fail: async () => undefined,
    abandon: async () => undefined,
  };
}

/** `field` is what asked for it: a reconcile's `adopt`, or its `delete`. @throws INVALID_ARGUMENT: no id. FAILED_PRECONDITION: the metadata know it. */
export function planAdoptOrphan<O extends object>(
  workflow: Workflow<AdoptOrphanParams, O>,
  id: string,
  field: 'adopt' | 'delete',
): OperationPlan<AdoptOrphanParams, O> {
  if (typeof id !== 'string' || !(isId('volume', id) || isId('snapshot', id))) {
    throw new VbsError('INVALID_ARGUMENT', `${field} must be the id of a volume or snapshot`, { context: { field } });
  }
  return {
    workflow,
    leases: { [id]: 'exclusive' },
    async prepare(tx) {
      if ((await volumes.get(tx.trx, id)) !== null || (await snapshots.get(tx.trx, id)) !== null) {
        throw new VbsError('FAILED_PRECONDITION', `${id} is known already; there is nothing to adopt`, {
          resource: id,
          context: { field },
        });
      }
      await insertId(tx, id);
      return { resourceId: id, params: { id, toDelete: field === 'delete' } };
    },
  };
}

async function findVolume(instances: Instances, call: Call, id: string): Promise<Orphan | null> {
  for (const { name: backend, contract } of instances.backends()) {
    const found = (await contract.listVolumes(call)).find((volume) => volume.id === id);
    if (found === undefined) continue;
    const { sizeBytes, locator, filling } = found;
    // Without a locator nothing but a delete takes it.
    if (filling === true) return { backend, sizeBytes, locator: null, volumeId: null, invalid: neverWhole };
    return { backend, sizeBytes, locator, volumeId: null, invalid: null };
  }
  return null;
}

async function findSnapshot(instances: Instances, call: Call, id: string): Promise<Orphan | null> {
  for (const { name: backend, capabilities, contract } of instances.backends()) {
    if (!capabilities.has('snapshot')) continue;
    const found = (await contract.listSnapshots(call)).find((snapshot) => snapshot.id === id);
    if (found !== undefined)
      return { backend, sizeBytes: found.sizeBytes, locator: null, volumeId: found.volumeId, invalid: found.invalid ?? null };
  }
  return null;
}

async function insert(
  tx: StoreTransaction,
  operationId: string,
  id: string,
  { backend, sizeBytes, locator, volumeId, invalid }: Orphan,
): Promise<void> {
  const { trx, now } = tx;
  const common = { id, reason: invalid, comment: null, backend, sizeBytes, createdAt: now };
  if (volumeId === null) {
    const state = invalid === null ? 'available' : 'error';
    await volumes.insert(trx, { ...common, state, requestedBytes: sizeBytes, snapshotId: null, locator });
    tx.emit({ type: `volume.${state}`, resourceId: id, operationId, data: { adopted: true } });
    return;
  }
  await insertId(tx, volumeId);
  const state = invalid === null ? 'completed' : 'error';
  await snapshots.insert(trx, { ...common, state, volumeId });
  tx.emit({ type: `snapshot.${state}`, resourceId: id, operationId, data: { adopted: true } });
}

/** What lost metadata knew has no id here. */
async function insertId({ trx, now }: StoreTransaction, id: string): Promise<void> {
  await trx('ids').insert({ id, created_at: now }).onConflict('id').ignore();
}
