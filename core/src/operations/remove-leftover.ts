import type { Knex } from 'knex';
import type { ConnectionInfo } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import { exportsTable, isLiveKey } from '../metadata/exports.js';
import { freeNumber, holdNumber } from '../metadata/numbers.js';
import type { OperationPlan } from '../workflow/journal.js';
import type { ChangeStep } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { removalStep } from './removal-step.js';

/** What no attachment has any more and holds no data: an export, or a node's connection to one. */
export type Leftover = { readonly exportId: string; readonly volumeId: string | null } & (
  | { readonly kind: 'export'; readonly exporter: string }
  | {
      readonly kind: 'connection';
      readonly node: string;
      readonly initiator: string;
      readonly attachmentId: string;
      readonly connection: ConnectionInfo;
    }
);

type LeftoverStep = ChangeStep<Leftover, object>;

/** remove-leftover: a repair of reconcile, under the lease of the volume, or of the export where the volume is not known (safety D2). */
export function removeLeftoverWorkflow(instances: Instances): Workflow<Leftover, object> {
  const removeExport = (exporter: string): LeftoverStep =>
    removalStep({
      name: 'delete-export',
      remove: ({ call, params: { exportId } }) => instances.exporter(exporter).contract.deleteExport(call, { exportId }),
      isThere: async ({ call, params }) =>
        (await instances.exporter(exporter).contract.listExports(call)).some(({ exportId }) => exportId === params.exportId),
    });
  const removeConnection = ({ node, initiator, attachmentId, connection }: Extract<Leftover, { kind: 'connection' }>): LeftoverStep =>
    removalStep({
      name: 'disconnect',
      remove: ({ call }) => instances.initiator(node, initiator).contract.disconnect(call, { attachmentId, connection }),
      isThere: async ({ call }) =>
        (await instances.initiator(node, initiator).contract.listConnections(call)).some(
          (found) => found.connection.key === connection.key,
        ),
    });
  return {
    kind: 'remove-leftover',
    recovery: 'forward',
    steps: (leftover) => [leftover.kind === 'export' ? removeExport(leftover.exporter) : removeConnection(leftover)],
    instances: (leftover) => [leftover.kind === 'export' ? leftover.exporter : leftover.initiator],
    guards: (leftover) =>
      leftover.kind === 'export'
        ? [{ instance: leftover.exporter, resourceId: leftover.exportId }]
        : [{ instance: leftover.initiator, resourceId: leftover.attachmentId }],
    async succeed({ trx }, { params: { exportId } }) {
      // Whatever the node or exporter still had of it is gone: its number may be given out again (safety E1).
      await freeNumber(trx, exportId);
      return null;
    },
    // Nothing was changed in the metadata: the next reconcile finds it again.
    fail: async () => undefined,
    abandon: async () => undefined,
  };
}

export function planRemoveLeftover(workflow: Workflow<Leftover, object>, leftover: Leftover): OperationPlan<Leftover, object> {
  const leased = leftover.volumeId ?? leftover.exportId;
  return {
    workflow,
    leases: { [leased]: 'exclusive' },
    async prepare({ trx, now }) {
      if (await isInUseAgain(trx, leftover)) {
        throw new VbsError('FAILED_PRECONDITION', `${leftover.exportId} is in use again; look again`, { resource: leftover.exportId });
      }
      // An export of metadata that were lost has no id here.
      await trx('ids').insert({ id: leased, created_at: now }).onConflict('id').ignore();
      return { resourceId: leased, params: leftover };
    },
  };
}

/** Of a connection also where its address was given out again: to an export that has its key, or is about to get it. */
async function isInUseAgain(trx: Knex.Transaction, leftover: Leftover): Promise<boolean> {
  if ((await exportsTable.get(trx, leftover.exportId))?.state === 'live') return true;
  if (leftover.kind === 'export') return false;
  const { key } = leftover.connection;
  if (await isLiveKey(trx, key)) return true;
  const holderId = await holdNumber(trx, leftover.exportId);
  if (holderId === null) return false;
  const holder = await exportsTable.get(trx, holderId);
  return holder?.connectionKey === null || holder?.connectionKey === key;
}
