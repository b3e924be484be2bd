import { VbsError } from '@vbs/core';

/** Sizes are multiples of a sector, the least that a guest can address. */
export const granularityBytes = 512;

/** @throws INVALID_ARGUMENT: no number of bytes. OUT_OF_RANGE: no multiple of a sector. */
export function requireSize(sizeBytes: number): void {
  const context = { field: 'sizeBytes' };
  if (!Number.isSafeInteger(sizeBytes)) throw new VbsError('INVALID_ARGUMENT', 'sizeBytes must be a whole number of bytes.', { context });
  if (sizeBytes > 0 && sizeBytes % granularityBytes === 0) return;
  throw new VbsError('OUT_OF_RANGE', `sizeBytes must be a multiple of ${granularityBytes} above 0.`, { context });
}

/** @throws OUT_OF_RANGE: a volume of `sizeBytes` cannot hold the snapshot; `context.leastBytes` can. */
export function requireRoomFor(snapshotBytes: number, sizeBytes: number): void {
  if (sizeBytes >= snapshotBytes) return;
  throw new VbsError('OUT_OF_RANGE', `The volume has ${sizeBytes} bytes, its snapshot ${snapshotBytes}: make it at least as large.`, {
    context: { field: 'sizeBytes', leastBytes: snapshotBytes },
  });
}

/** @throws INVALID_ARGUMENT, OUT_OF_RANGE: nowhere in the snapshot. */
export function requireFromBytes(fromBytes: number, snapshotBytes: number): void {
  const context = { field: 'fromBytes' };
  if (!Number.isSafeInteger(fromBytes)) throw new VbsError('INVALID_ARGUMENT', 'fromBytes must be a whole number of bytes.', { context });
  if (fromBytes >= 0 && fromBytes <= snapshotBytes) return;
  throw new VbsError('OUT_OF_RANGE', `fromBytes must be from 0 to the snapshot's size, ${snapshotBytes}.`, { context });
}
