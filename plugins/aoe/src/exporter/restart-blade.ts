import { type Call, errorTable, isVbsError, VbsError } from '@vbs/core';
import { sectorBytes } from './blade.js';
import type { RunningBlade, StartedBlade } from './blades.js';
import { sizeOfVolume } from './size-of-volume.js';
import type { Tools } from './tools.js';
import type { WantedExport } from './wanted-export.js';

/**
 * Ends a vblade and starts it anew as it is wanted, under initiators that ask again until they are answered. What is missing for that is
 * looked for before; if it fails nevertheless, the vblade is started as it was.
 * @throws FAILED_PRECONDITION: there is less behind the locator than the volume has.
 */
export async function restartBlade(
  call: Call,
  tools: Tools,
  running: RunningBlade,
  wanted: Pick<WantedExport, 'exportId' | 'serial' | 'blade'> & { readonly request: Pick<WantedExport['request'], 'volume'> },
): Promise<void> {
  const { blades } = tools;
  const { exportId, blade } = wanted;
  const sizeBytes = await sizeOfVolume(call, tools, wanted.request.volume.locator);
  if (sizeBytes < blade.sectors * sectorBytes) {
    const message = `${blade.path} has ${sizeBytes} bytes, not ${blade.sectors * sectorBytes}: extend the volume first.`;
    throw new VbsError('FAILED_PRECONDITION', message, { resource: exportId, context: { sizeBytes } });
  }
  try {
    await blades.stop(call, running);
  } catch (error) {
    // It may have ended all the same.
    throw isVbsError(error) && errorTable[error.code].outcome === 'failed' ? error : await asItWas(call, tools, running, wanted, error);
  }
  try {
    await blades.start(call, wanted);
  } catch (error) {
    throw await asItWas(call, tools, running, wanted, error);
  }
}

const repairLimitMs = 10_000;

async function asItWas(call: Call, { blades }: Tools, running: RunningBlade, { blade }: StartedBlade, error: unknown): Promise<unknown> {
  const repair = { ...call, signal: AbortSignal.timeout(repairLimitMs) };
  const { exportId, serial } = running;
  try {
    // Access that was to be closed stays closed.
    const masks = blade.masks;
    await blades.start(repair, { exportId, serial, blade: { ...running.blade, masks, sectors: running.blade.sectors ?? blade.sectors } });
    return error;
  } catch (cause) {
    const why = `${error instanceof Error ? error.message : String(error)} Then it could not be started as it was: ${cause instanceof Error ? cause.message : String(cause)}`;
    return new VbsError('INTERNAL', `${exportId} is not exported now, until ensureExports is repeated: ${why}`, {
      resource: exportId,
      cause: error,
    });
  }
}
