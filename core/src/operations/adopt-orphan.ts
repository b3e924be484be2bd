import type { Call } from '../contract/call.js';
import type { OpenedBackend } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';
import { leasedResources } from '../metadata/leases.js';
import type { MetadataStore, StoreTransaction } from '../metadata/metadata-store.js';
import { snapshots } from '../metadata/snapshots.js';
import { volumes } from '../metadata/volumes.js';
import { isId } from '../model/ids.js';
import type { Instances } from './instances.js';

interface AdoptServices {
  readonly store: MetadataStore;
  readonly instances: Instances;
  readonly lookCall: () => Call;
}

/**
 * Takes a volume or snapshot that lies in a pool and that the metadata do not know into the metadata (safety D2): a volume as
 * `available`, a snapshot as `completed`.
 * @throws INVALID_ARGUMENT: no id. FAILED_PRECONDITION: the metadata know it. NOT_FOUND: no pool has it.
 */
export async function adoptOrphan({ store, instances, lookCall }: AdoptServices, id: string): Promise<'volume' | 'snapshot'> {
  const kind = isId('volume', id) ? 'volume' : isId('snapshot', id) ? 'snapshot' : null;
  if (kind === null)
    throw new VbsError('INVALID_ARGUMENT', 'adopt must be the id of a volume or snapshot', { context: { field: 'adopt' } });
  for (const backend of instances.backends()) {
    if (!(await adoptFrom(backend, kind, id, store, lookCall()))) continue;
    return kind;
  }
  throw new VbsError('NOT_FOUND', `no pool has the ${kind} ${id}`, { resource: id });
}

async function adoptFrom(
  backend: OpenedBackend,
  kind: 'volume' | 'snapshot',
  id: string,
  store: MetadataStore,
  call: Call,
): Promise<boolean> {
  const common = { id, reason: null, comment: null, backend: backend.name };
  if (kind === 'volume') {
    const found = (await backend.contract.listVolumes(call)).find((volume) => volume.id === id);
    if (found === undefined) return false;
    const { sizeBytes, locator } = found;
    await claim(store, id, async (tx) => {
      await volumes.insert(tx.trx, {
        ...common,
        state: 'available',
        sizeBytes,
        requestedBytes: sizeBytes,
        snapshotId: null,
        locator,
        createdAt: tx.now,
      });
      tx.emit({ type: 'volume.available', resourceId: id, operationId: null, data: { adopted: true } });
    });
    return true;
  }
  if (!backend.capabilities.has('snapshot')) return false;
  const found = (await backend.contract.listSnapshots(call)).find((snapshot) => snapshot.id === id);
  if (found === undefined) return false;
  const { sizeBytes, volumeId, invalid } = found;
  await claim(store, id, async (tx) => {
    await insertId(tx, volumeId);
    await snapshots.insert(tx.trx, {
      ...common,
      state: invalid === undefined ? 'completed' : 'error',
      reason: invalid ?? null,
      sizeBytes,
      volumeId,
      createdAt: tx.now,
    });
    tx.emit({ type: 'snapshot.completed', resourceId: id, operationId: null, data: { adopted: true } });
  });
  return true;
}

function claim(store: MetadataStore, id: string, insert: (tx: StoreTransaction) => Promise<void>): Promise<void> {
  return store.transaction(async (tx) => {
    const known = (await volumes.get(tx.trx, id)) ?? (await snapshots.get(tx.trx, id));
    if (known !== null || (await leasedResources(tx.trx)).has(id)) {
      throw new VbsError('FAILED_PRECONDITION', `${id} is known already; there is nothing to adopt`, { resource: id });
    }
    await insertId(tx, id);
    await insert(tx);
  });
}

async function insertId({ trx, now }: StoreTransaction, id: string): Promise<void> {
  await trx('ids').insert({ id, created_at: now }).onConflict('id').ignore();
}
