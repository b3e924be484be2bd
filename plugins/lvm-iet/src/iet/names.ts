import { createHash } from 'node:crypto';
import { isId, VbsError } from '@vbs/core';

/** The one LUN of each target. IET has no controller at LUN 0. */
export const dataLun = 0;

const storeDigits = 8;
const tidsOfAnInstance = 4_096;
const highestTid = 2 ** 31 - 1;
const longestSerial = 16;

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

/** @throws INVALID_ARGUMENT: no export id; only ids become names and lines of files. */
export function requireExportId(exportId: unknown): void {
  if (typeof exportId === 'string' && isId('export', exportId)) return;
  throw new VbsError('INVALID_ARGUMENT', 'exportId must be the id of an export, exp- and 17 hex digits.', {
    context: { field: 'exportId' },
  });
}

/** What a guest sees of a volume's serial number: IET has room for 16 characters, so the last 16 digits of the volume's id. */
export function shownSerial(serial: string): string {
  return serial.slice(-longestSerial);
}

/** The target ids of an instance that was given none. They differ from server to server, so that an operator's own are seldom met. */
export function defaultTids(storeId: string, instanceName: string): { readonly first: number; readonly last: number } {
  const digest = createHash('sha256').update(`${storeId}/${instanceName}`).digest().readUInt32BE(0);
  const block = 1 + (digest % (Math.floor(highestTid / tidsOfAnInstance) - 1));
  return { first: block * tidsOfAnInstance, last: (block + 1) * tidsOfAnInstance - 1 };
}
