import { createHash } from 'node:crypto';
import { isId, VbsError } from '@vbs/core';

/** The one data LUN of each target: LUN 0 is tgtd's controller. */
export const dataLun = 1;

const storeDigits = 8;
const tidsOfAnInstance = 4_096;
const highestTid = 2 ** 31 - 1;

/** The names of one store's exports (safety D1): `<prefix>:<8 digits of the store id>:<export id>`. */
export class Names {
  readonly #start: string;

  constructor(iqnPrefix: string, storeId: string) {
    this.#start = `${iqnPrefix}:${storeId.slice(0, storeDigits)}:`;
  }

  iqn(exportId: string): string {
    return `${this.#start}${exportId}`;
  }

  /** The export that a target is; undefined for a target that is not this store's. */
  exportId(iqn: string): string | undefined {
    if (!iqn.startsWith(this.#start)) return undefined;
    const exportId = iqn.slice(this.#start.length);
    return isId('export', exportId) ? exportId : undefined;
  }
}

/** @throws INVALID_ARGUMENT: no export id; only ids become names, accounts and paths. */
export function requireExportId(exportId: unknown): void {
  if (typeof exportId === 'string' && isId('export', exportId)) return;
  throw new VbsError('INVALID_ARGUMENT', 'exportId must be the id of an export, exp- and 17 hex digits.', {
    context: { field: 'exportId' },
  });
}

/** A short name that follows from an instance's name, and is legal in file names. */
export function instanceDigest(instanceName: string): string {
  return createHash('sha256').update(instanceName).digest('hex').slice(0, 16);
}

/**
 * The target ids of an instance that was given none. tgtd makes the NAA designator, from which Linux takes a disk's WWID, of the target id
 * and the LUN alone: two servers that count from 1 give different volumes the same WWID (safety E2).
 */
export function defaultTids(storeId: string, instanceName: string): { readonly first: number; readonly last: number } {
  const digest = createHash('sha256').update(`${storeId}/${instanceName}`).digest().readUInt32BE(0);
  const block = 1 + (digest % (Math.floor(highestTid / tidsOfAnInstance) - 1));
  return { first: block * tidsOfAnInstance, last: (block + 1) * tidsOfAnInstance - 1 };
}
