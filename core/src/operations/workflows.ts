import { adoptOrphanWorkflow } from './adopt-orphan.js';
import { attachVolumeWorkflow } from './attach-volume.js';
import type { ChapSecrets } from './chap-secrets.js';
import { createSnapshotWorkflow } from './create-snapshot.js';
import { createVolumeWorkflow } from './create-volume.js';
import { deleteSnapshotWorkflow } from './delete-snapshot.js';
import { deleteVolumeWorkflow } from './delete-volume.js';
import { detachVolumeWorkflow } from './detach-volume.js';
import { extendVolumeWorkflow } from './extend-volume.js';
import type { Instances } from './instances.js';
import { removeLeftoverWorkflow } from './remove-leftover.js';
import { resetStateWorkflow } from './reset-state.js';
import { restoreAttachmentWorkflow } from './restore-attachment.js';

/** Every workflow of the core, for one store. */
export interface Workflows {
  readonly createVolume: ReturnType<typeof createVolumeWorkflow>;
  readonly deleteVolume: ReturnType<typeof deleteVolumeWorkflow>;
  readonly createSnapshot: ReturnType<typeof createSnapshotWorkflow>;
  readonly deleteSnapshot: ReturnType<typeof deleteSnapshotWorkflow>;
  readonly attachVolume: ReturnType<typeof attachVolumeWorkflow>;
  readonly detachVolume: ReturnType<typeof detachVolumeWorkflow>;
  readonly extendVolume: ReturnType<typeof extendVolumeWorkflow>;
  readonly restoreAttachment: ReturnType<typeof restoreAttachmentWorkflow>;
  readonly adoptOrphan: ReturnType<typeof adoptOrphanWorkflow>;
  readonly removeLeftover: ReturnType<typeof removeLeftoverWorkflow>;
  readonly resetState: ReturnType<typeof resetStateWorkflow>;
}

export function createWorkflows(instances: Instances, chap: ChapSecrets): Workflows {
  return {
    createVolume: createVolumeWorkflow(instances),
    deleteVolume: deleteVolumeWorkflow(instances),
    createSnapshot: createSnapshotWorkflow(instances),
    deleteSnapshot: deleteSnapshotWorkflow(instances),
    attachVolume: attachVolumeWorkflow(instances, chap),
    detachVolume: detachVolumeWorkflow(instances, chap),
    extendVolume: extendVolumeWorkflow(instances, chap),
    restoreAttachment: restoreAttachmentWorkflow(instances, chap),
    adoptOrphan: adoptOrphanWorkflow(instances),
    removeLeftover: removeLeftoverWorkflow(instances),
    resetState: resetStateWorkflow(instances, chap),
  };
}
