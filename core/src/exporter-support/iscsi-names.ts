import { isId } from '../model/ids.js';

const storeDigits = 8;

/** The names of one store's iSCSI targets (safety D1): `<prefix>:<8 digits of the store id>:<export id>`. */
export class IscsiNames {
  readonly #start: string;

  /** Needs a prefix that is legal (RFC 3720, section 3.2.6.3) and short enough for the whole name to have at most 223 bytes. */
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
