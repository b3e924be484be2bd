import { VbsError } from '@vbs/core';

const volumeId = /^vol-[0-9a-f]{17}$/;
const snapshotId = /^snap-[0-9a-f]{17}$/;
const volumeFile = /^(vol-[0-9a-f]{17})\.img$/;
const fillingEnd = '.filling.img';
const fillingFile = /^(vol-[0-9a-f]{17})\.filling\.img$/;
const snapshotFile = /^(snap-[0-9a-f]{17})\.(vol-[0-9a-f]{17})\.img$/;

/** The name of a volume's file. @throws INVALID_ARGUMENT: not a volume id, and so nothing that may touch a path. */
export function volumeFileName(id: string, field = 'id'): string {
  requireId(volumeId, id, field, 'vol-');
  return `${id}.img`;
}

/** The name of a volume's file until it is filled. @throws INVALID_ARGUMENT. */
export function fillingFileName(id: string): string {
  requireId(volumeId, id, 'id', 'vol-');
  return `${id}${fillingEnd}`;
}

/** Whether a name says that what it names is not whole yet. */
export const saysFilling = (name: string): boolean => name.endsWith(fillingEnd);

/** The name of a snapshot's file, which holds its volume's id, so that giving one file its name makes the snapshot whole. */
export function snapshotFileName(id: string, ofVolume: string): string {
  requireSnapshotId(id, 'id');
  requireId(volumeId, ofVolume, 'volumeId', 'vol-');
  return `${id}.${ofVolume}.img`;
}

/** @throws INVALID_ARGUMENT. */
export function requireSnapshotId(id: string, field: string): void {
  requireId(snapshotId, id, field, 'snap-');
}

/** The volume whose file bears this name; null for what is no volume's file. */
export function volumeOfFile(name: string): string | null {
  return volumeFile.exec(name)?.[1] ?? null;
}

/** The volume to be filled whose file bears this name; null for what is none. */
export function volumeOfFillingFile(name: string): string | null {
  return fillingFile.exec(name)?.[1] ?? null;
}

/** The snapshot whose file bears this name, and its volume; null for what is no snapshot's file. */
export function snapshotOfFile(name: string): { readonly id: string; readonly volumeId: string } | null {
  const [, id, ofVolume] = snapshotFile.exec(name) ?? [];
  return id === undefined || ofVolume === undefined ? null : { id, volumeId: ofVolume };
}

function requireId(pattern: RegExp, id: unknown, field: string, prefix: string): void {
  if (typeof id === 'string' && pattern.test(id)) return;
  throw new VbsError('INVALID_ARGUMENT', `${field} must be ${prefix} and 17 hexadecimal digits in lower case.`, { context: { field } });
}
