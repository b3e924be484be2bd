import type { VolumeLocator } from '../contract/connection.js';
import type { BackendVolume } from '../contract/volume-backend.js';
import { VbsError } from '../errors.js';
import type { ChangeStep, Check, StepContext } from '../workflow/step.js';
import type { Workflow } from '../workflow/workflow.js';
import type { Instances } from './instances.js';
import { changeVolume } from './transitions.js';
import { newVolume } from './views.js';

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
type CreateContext = StepContext<CreateVolumeParams, CreateVolumeOutput>;

/** create-volume: empty, by an instant clone, or made and then filled; it always goes forward, to `available` or `error`. */
export function createVolumeWorkflow(instances: Instances): Workflow<CreateVolumeParams, CreateVolumeOutput> {
  const backendOf = ({ backend }: CreateVolumeParams) => instances.backend(backend).contract;
  const find = async ({ call, params }: CreateContext): Promise<BackendVolume | undefined> =>
    (await backendOf(params).listVolumes(call)).find(({ id }) => id === params.volumeId);

  /** Makes the volume whole. Undone with everything that is there of it. */
  const makesWhole: Pick<CreateStep, 'changes' | 'check' | 'undo'> = {
    changes: true,
    async check(context): Promise<Check<CreateVolumeOutput>> {
      const found = await find(context);
      return found === undefined || found.filling === true ? 'absent' : { present: whole(found) };
    },
    undo: ({ call, params }) => backendOf(params).deleteVolume(call, { id: params.volumeId }),
  };
  const create: CreateStep = {
    ...makesWhole,
    name: 'create-volume',
    do: async ({ call, params }) => whole(await backendOf(params).createVolume(call, { id: params.volumeId, sizeBytes: params.sizeBytes })),
  };
  const clone = (snapshotId: string): CreateStep => ({
    ...makesWhole,
    name: 'clone-volume',
    do: async ({ call, params }) =>
      whole(await backendOf(params).cloneVolume(call, { id: params.volumeId, sizeBytes: params.sizeBytes, snapshotId })),
  });
  /** What is to be filled: where it lies now is of no use to anybody but the backend. */
  const allocate: CreateStep = {
    ...makesWhole,
    name: 'create-volume',
    async do({ call, params }) {
      await backendOf(params).createVolume(call, { id: params.volumeId, sizeBytes: params.sizeBytes, toBeFilled: true });
      return {};
    },
    check: async (context) => ((await find(context)) === undefined ? 'absent' : { present: {} }),
  };
  const populate = (snapshotId: string): CreateStep => ({
    ...makesWhole,
    name: 'populate-volume',
    do: async ({ call, params, doneBytes }) =>
      whole(await backendOf(params).populateVolume(call, { id: params.volumeId, snapshotId, fromBytes: doneBytes })),
  });

  return {
    kind: 'create-volume',
    recovery: 'forward',
    steps({ snapshotId, instant }) {
      if (snapshotId === null) return [create];
      return instant ? [clone(snapshotId)] : [allocate, populate(snapshotId)];
    },
    instances: ({ backend }) => [backend],
    guards: ({ backend, volumeId }) => [{ instance: backend, resourceId: volumeId }],
    async succeed(tx, { id, params: { volumeId }, output: { sizeBytes, locator } }) {
      if (locator === undefined || sizeBytes === undefined) throw new TypeError('create-volume ended without a locator');
      const record = await changeVolume({ tx, operationId: id }, volumeId, { state: 'available', locator, sizeBytes });
      return record === null ? null : newVolume(record);
    },
    fail: (tx, { id, params }, error) =>
      changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason: `${error.code}: ${error.message}` }),
    abandon: (tx, { id, params }, reason) => changeVolume({ tx, operationId: id }, params.volumeId, { state: 'error', reason }),
  };
}

/** What the metadata keep of a volume that is whole (safety C5). @throws INTERNAL: the backend says that it is not. */
function whole({ id, sizeBytes, locator, filling }: BackendVolume): CreateVolumeOutput {
  if (filling === true) {
    throw new VbsError('INTERNAL', `the backend answered ${id} as not whole, where it must be; look for a newer version of its plugin`, {
      resource: id,
    });
  }
  return { sizeBytes, locator };
}
