import { createHash } from 'node:crypto';

/** The one data LUN of each target: LUN 0 is tgtd's controller. */
export const dataLun = 1;

/** A short name that follows from an instance's name, and is legal in file names. */
export function instanceDigest(instanceName: string): string {
  return createHash('sha256').update(instanceName).digest('hex').slice(0, 16);
}
