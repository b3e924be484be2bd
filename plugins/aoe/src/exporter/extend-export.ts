import { type BackendVolume, type Call, VbsError } from '@vbs/core';
import { sectorBytes } from './blade.js';
import { revoked } from './make-export.js';
import { restartBlade } from './restart-blade.js';
import type { Tools } from './tools.js';

/**
 * Exports the size that the volume has now. vblade asks for it once, so another takes its place at the same address; initiators repeat
 * what was not answered, and see the size when they ask for it (aoe-revalidate).
 * @throws NOT_FOUND. FAILED_PRECONDITION: it serves another volume, its volume has not grown, or it was revoked.
 */
export async function extendExport(call: Call, tools: Tools, exportId: string, volume: BackendVolume<'block' | 'file'>): Promise<number> {
  if ((await tools.marks.get(call, exportId)) !== undefined) throw revoked(exportId);
  const [running] = await tools.blades.of(call, exportId);
  if (running === undefined) throw new VbsError('NOT_FOUND', `There is no export ${exportId}.`, { resource: exportId });
  const { blade, serial } = running;
  const { path } = volume.locator;
  if (blade.path !== path) {
    throw new VbsError('FAILED_PRECONDITION', `The export ${exportId} serves ${blade.path}, not ${path}.`, { resource: exportId });
  }
  if (volume.sizeBytes % sectorBytes !== 0) {
    throw new VbsError('INVALID_ARGUMENT', `volume.sizeBytes must be a multiple of ${sectorBytes}; it is ${volume.sizeBytes}.`, {
      resource: exportId,
      context: { field: 'volume.sizeBytes' },
    });
  }
  const sectors = volume.sizeBytes / sectorBytes;
  if (blade.sectors !== undefined && blade.sectors >= sectors) return blade.sectors * sectorBytes;
  await restartBlade(call, tools, running, { exportId, serial, blade: { ...blade, sectors }, request: { volume } });
  return volume.sizeBytes;
}
