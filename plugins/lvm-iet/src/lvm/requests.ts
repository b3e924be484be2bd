import { type IdKind, isId, VbsError } from '@vbs/core';

const prefixes = { volume: 'vol-', snapshot: 'snap-' } as const;

/** Ids become names of LVs as they are: none is reserved, and none begins with a hyphen. @throws INVALID_ARGUMENT. */
export function requireId(kind: IdKind & keyof typeof prefixes, id: unknown, field = 'id'): void {
  if (typeof id === 'string' && isId(kind, id)) return;
  throw new VbsError('INVALID_ARGUMENT', `${field} must be ${prefixes[kind]} and 17 hexadecimal digits in lower case.`, {
    context: { field },
  });
}

/** @throws OUT_OF_RANGE: the size is no multiple of the group's extents. */
export function requireSize(sizeBytes: number, granularityBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes > 0 && sizeBytes % granularityBytes === 0) return;
  const message = `sizeBytes must be a multiple of ${granularityBytes}, the extents of the volume group, above 0; got ${sizeBytes}.`;
  throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'sizeBytes', granularityBytes } });
}

/** @throws OUT_OF_RANGE: `context.leastBytes` is the least size that can hold the snapshot. */
export function requireRoomFor(snapshotBytes: number, sizeBytes: number): void {
  if (sizeBytes >= snapshotBytes) return;
  const message = `The volume has ${sizeBytes} bytes, and the snapshot ${snapshotBytes}: make a volume of at least that.`;
  throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'sizeBytes', leastBytes: snapshotBytes } });
}

/** @throws OUT_OF_RANGE. */
export function requireFromBytes(fromBytes: number, snapshotBytes: number): void {
  if (Number.isSafeInteger(fromBytes) && fromBytes >= 0 && fromBytes <= snapshotBytes) return;
  throw new VbsError('OUT_OF_RANGE', `fromBytes must be from 0 to ${snapshotBytes}, the size of the snapshot; got ${fromBytes}.`, {
    context: { field: 'fromBytes' },
  });
}
