import type { Knex } from 'knex';
import type { Call } from '../../contract/call.js';
import { VbsError } from '../../errors.js';
import type { MetadataStore } from '../../metadata/metadata-store.js';
import { type SnapshotRecord, snapshots } from '../../metadata/snapshots.js';
import { type VolumeRecord, volumes } from '../../metadata/volumes.js';
import type { AttachmentPath } from '../attachment-steps.js';
import type { Instances } from '../instances.js';
import type { NodeIdentities } from '../node-identities.js';
import type { Placement } from '../placement.js';

/** What planning an operation needs: it looks, and changes nothing but in its transaction. */
export interface PlanServices {
  readonly store: MetadataStore;
  readonly instances: Instances;
  readonly identities: NodeIdentities;
  readonly placement: Placement;
  readonly newId: () => string;
  /** For the looks that come before an operation has an id. */
  readonly lookCall: () => Call;
}

/** @throws NOT_FOUND */
export async function requireVolume(tx: { readonly trx: Knex }, id: string): Promise<VolumeRecord> {
  const record = await volumes.get(tx.trx, id);
  if (record === null) throw new VbsError('NOT_FOUND', `there is no volume ${id}`, { resource: id, context: { ids: [id] } });
  return record;
}

/** @throws NOT_FOUND */
export async function requireSnapshot(tx: { readonly trx: Knex }, id: string): Promise<SnapshotRecord> {
  const record = await snapshots.get(tx.trx, id);
  if (record === null) throw new VbsError('NOT_FOUND', `there is no snapshot ${id}`, { resource: id, context: { ids: [id] } });
  return record;
}

/** @throws FAILED_PRECONDITION: the resource is in none of the states. */
export function requireState<S extends string>(
  record: { readonly id: string; readonly state: S; readonly reason: string | null },
  states: readonly S[],
  to: string,
): void {
  if (states.includes(record.state)) return;
  const reason = record.reason === null ? '' : ` (${record.reason})`;
  throw new VbsError('FAILED_PRECONDITION', `${record.id} is ${record.state}${reason}; to ${to} it must be ${states.join(' or ')}`, {
    resource: record.id,
    context: { state: record.state, states },
  });
}

/** @throws FAILED_PRECONDITION that names the owner: another process has an instance on the way of an attachment (safety F1). */
export async function requireOwnedHere(
  { instances, lookCall }: PlanServices,
  { exporter, node }: AttachmentPath,
  { nodeIsDead = false }: { readonly nodeIsDead?: boolean } = {},
): Promise<void> {
  const target = instances.exporter(exporter);
  // What is not owned here refuses every call, and says who owns it.
  if (!target.ownedHere) await target.contract.listExports(lookCall());
  if (nodeIsDead) return;
  const { hypervisor } = instances.node(node);
  if (!hypervisor.ownedHere) await hypervisor.contract.listDevices(lookCall());
}
