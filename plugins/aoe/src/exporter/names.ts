import { isId } from '@vbs/core';

const storeDigits = 8;

/** What the name of a vblade process tells. */
export interface BladeName {
  readonly exportId: string;
  readonly serial: string;
}

/** The names of the processes of one store (safety D1): `vblade-<8 digits of the store id>-<export id>-<serial>`. */
export class BladeNames {
  /** What all of them begin with. */
  readonly prefix: string;

  constructor(storeId: string) {
    this.prefix = `vblade-${storeId.slice(0, storeDigits)}-`;
  }

  of({ exportId, serial }: BladeName): string {
    return `${this.prefixOf(exportId)}${serial}`;
  }

  prefixOf(exportId: string): string {
    return `${this.prefix}${exportId}-`;
  }

  parse(name: string): BladeName | undefined {
    if (!name.startsWith(this.prefix)) return undefined;
    const { exportId, serial } = /^(?<exportId>exp-[^-]+)-(?<serial>.+)$/.exec(name.slice(this.prefix.length))?.groups ?? {};
    return exportId === undefined || serial === undefined || !isId('export', exportId) ? undefined : { exportId, serial };
  }
}
