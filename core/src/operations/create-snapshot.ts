import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { changeSnapshot } from './transitions.js';
import { viewSnapshot } from './views.js';

export interface CreateSnapshotParams {
  readonly snapshotId: string;
  readonly volumeId: string;
  readonly backend: string;
}

interface CreateSnapshotOutput {
  readonly sizeBytes: number;
}

/** create-snapshot: found after an interruption it is completed; not found it is an error, and is never taken later (safety C2). */
export function createSnapshotWorkflow(instances: Instances): Workflow<CreateSnapshotParams, CreateSnapshotOutput> {
  return {
    kind: 'create-snapshot',
    recovery: { forwardOnce: 'create-snapshot', notAfterAnswer: true },
    steps: () => [
      {
        name: 'create-snapshot',
        changes: true,
        async do({ call, params: { snapshotId, volumeId, backend } }) {
          const { sizeBytes } = await instances.backend(backend).contract.createSnapshot(call, { id: snapshotId, volumeId });
          return { sizeBytes };
        },
        async check({ call, params }) {
          const found = (await instances.backend(params.backend).contract.listSnapshots(call)).find(({ id }) => id === params.snapshotId);
          return found === undefined ? 'absent' : { present: { sizeBytes: found.sizeBytes } };
        },
        undo: ({ call, params }) => instances.backend(params.backend).contract.deleteSnapshot(call, { id: params.snapshotId }),
      },
    ],
    instances: ({ backend }) => [backend],
    guards: ({ backend, snapshotId }) => [{ instance: backend, resourceId: snapshotId }],
    async succeed(tx, { id, params: { snapshotId }, output: { sizeBytes } }) {
      const record = await changeSnapshot({ tx, operationId: id }, snapshotId, {
        state: 'completed',
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      });
      return record === null ? null : viewSnapshot(record);
    },
    fail: (tx, { id, params }, error) =>
      changeSnapshot({ tx, operationId: id }, params.snapshotId, { state: 'error', reason: `${error.code}: ${error.message}` }),
    abandon: (tx, { id, params }, reason) => changeSnapshot({ tx, operationId: id }, params.snapshotId, { state: 'error', reason }),
  };
}
