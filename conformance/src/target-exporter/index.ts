import type { Plugin } from '@vbs/core';
import { register } from '../kit/register.js';
import type { Providing } from '../kit/setup.js';
import type { Test } from '../kit/test.js';
import { createExportProofs, exporterRefusals } from './create-export.js';
import { deleteExportProofs } from './delete-export.js';
import { ensureExportsProofs } from './ensure-exports.js';
import { extendExportProofs, revokeAccessProofs } from './fence-and-extend.js';
import { listExportsProofs } from './list-exports.js';
import type { TargetExporterSetup } from './setup.js';
import { ExporterStage } from './stage.js';

export type { AcceptedBy, ExportableVolume, ExportClient, ProtocolOf, TargetExporterSetup } from './setup.js';

/** Proves that a plugin keeps the TargetExporter contract: what is written through an export arrives in the volume, and only where it may. */
export function targetExporterConformance<P extends Providing<'targetExporter'>>(
  test: Test,
  plugin: Plugin<string, P>,
  setup: NoInfer<TargetExporterSetup<P>>,
): void {
  register({
    test,
    kind: 'targetExporter',
    plugin,
    setup,
    proofs: [
      ...createExportProofs,
      ...deleteExportProofs,
      ...listExportsProofs,
      ...ensureExportsProofs,
      ...revokeAccessProofs,
      ...extendExportProofs,
    ],
    stage: (scene) => new ExporterStage(scene, setup),
    refusals: exporterRefusals,
  });
}
