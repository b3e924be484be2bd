import type { Plugin } from '@vbs/core';
import { register } from '../kit/register.js';
import type { Providing } from '../kit/setup.js';
import type { Test } from '../kit/test.js';
import { cloneVolumeProofs } from './clone-volume.js';
import { createVolumeProofs } from './create-volume.js';
import { deleteVolumeProofs } from './delete-volume.js';
import { extendVolumeProofs } from './extend-volume.js';
import { poolProofs } from './pool.js';
import { populateVolumeProofs } from './populate-volume.js';
import type { VolumeBackendSetup } from './setup.js';
import { createSnapshotProofs, deleteSnapshotProofs } from './snapshots.js';
import { BackendStage } from './stage.js';

export type { LocatorOf, VolumeBackendSetup, VolumeIo } from './setup.js';

/** Proves that a plugin keeps the VolumeBackend contract: opened through its manifest, one test for each promise, bytes as well as names. */
export function volumeBackendConformance<P extends Providing<'volumeBackend'>>(
  test: Test,
  plugin: Plugin<string, P>,
  setup: NoInfer<VolumeBackendSetup<P>>,
): void {
  register({
    test,
    kind: 'volumeBackend',
    plugin,
    setup,
    proofs: [
      ...poolProofs,
      ...createVolumeProofs,
      ...deleteVolumeProofs,
      ...createSnapshotProofs,
      ...deleteSnapshotProofs,
      ...populateVolumeProofs,
      ...cloneVolumeProofs,
      ...extendVolumeProofs,
    ],
    stage: (scene) => new BackendStage(scene, setup),
  });
}
