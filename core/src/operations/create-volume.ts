import type { VolumeLocator } from '../contract/connection.js';
import type { BackendVolume } from '../contract/volume-backend.js';
import { volumes } from '../metadata/volumes.js';
import type { ChangeStep, Check } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { changeVolume } from './transitions.js';
import { viewVolume } from './views.js';

export interface CreateVolumeParams {
  readonly volumeId: string;
  readonly backend: string;
  readonly sizeBytes: number;
  readonly snapshotId: string | null;
  /** The backend makes a volume from a snapshot without copying bytes. */
  readonly instant: boolean;
}

interface CreateVolumeOutput {
  readonly sizeBytes: number;
  readonly locator: VolumeLocator;
}

type CreateStep = ChangeStep<CreateVolumeParams, CreateVolumeOutput>;

/** create-volume: empty, by an instant clone, or made and then filled; it always goes forward, to `available` or `error`. */
export function createVolumeWorkflow(instances: Instances): Workflow<CreateVolumeParams, CreateVolumeOutput> {
  const backendOf = ({ backend }: CreateVolumeParams) => instances.backend(backend).contract;
  const answer = ({ sizeBytes, locator }: BackendVolume): CreateVolumeOutput => ({ sizeBytes, locator });

  const allocated: Pick<CreateStep, 'changes' | 'check' | 'undo'> = {
    changes: true,
    async check({ call, params }): Promise<Check<CreateVolumeOutput>> {
      const found = (await backendOf(params).listVolumes(call)).find(({ id }) => id === params.volumeId);
      return found === undefined ? 'absent' : { present: answer(found) };
    },
    undo: ({ call, params }) => backendOf(params).deleteVolume(call, { id: params.volumeId }),
  };
  const allocate: CreateStep = {
    name: 'create-volume',
    ...allocated,
    do: async ({ call, params: { volumeId, sizeBytes, backend } }) =>
      answer(await instances.backend(backend).contract.createVolume(call, { id: volumeId, sizeBytes })),
  };
  const clone = (snapshotId: string): CreateStep => ({
    name: 'clone-volume',
    ...allocated,
    do: async ({ call, params }) =>
      answer(await backendOf(params).cloneVolume(call, { id: params.volumeId, sizeBytes: params.sizeBytes, snapshotId })),
  });
  const populate = (snapshotId: string): CreateStep => ({
    name: 'populate-volume',
    changes: true,
    async do({ call, params, doneBytes }) {
      await backendOf(params).populateVolume(call, { id: params.volumeId, snapshotId, fromBytes: doneBytes });
      return {};
    },
    // Bytes that were copied are not told from bytes that were not: it is done again from the last synced offset.
    check: async () => 'absent',
    // What was filled goes with the volume, when the step below is undone.
    undo: async () => undefined,
  });

  return {
    kind: 'create-volume',
    recovery: 'forward',
    steps({ snapshotId, instant }) {
      if (snapshotId === null) return [allocate];
      return instant ? [clone(snapshotId)] : [allocate, populate(snapshotId)];
    },
    instances: ({ backend }) => [backend],
    guards: ({ backend, volumeId }) => [{ instance: backend, resourceId: volumeId }],
    async succeed(tx, { id, params: { volumeId }, output: { sizeBytes, locator } }) {
      if (locator === undefined || sizeBytes === undefined) throw new TypeError('create-volume ended without a locator');
      await changeVolume({ tx, operationId: id }, volumeId, { state: 'available', locator, sizeBytes });
      const record = await volumes.get(tx.trx, volumeId);
      return record === null ? null : viewVolume(tx.trx, record);
    },
    fail: (tx, { id, params }, error) =>
      changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason: `${error.code}: ${error.message}` }),
    abandon: (tx, { id, params }, reason) => changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason }),
  };
}
