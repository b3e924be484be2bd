import { closeSync, openSync, statSync, truncateSync, writeFileSync } from 'node:fs';

/** A LUN of a target: a file of real bytes. */
export interface TargetLun {
  readonly file: string;
  readonly serial: string;
  readonly readOnly: boolean;
}

/** A target as its machine has it, in a test's hands. */
export class StandInTarget {
  readonly luns = new Map<number, TargetLun>();
  /** Nobody answers on its portals. */
  dead = false;
  chap: { readonly user: string; readonly password: string } | undefined;
  /** Whom it lets in; everybody unless told. */
  initiators: readonly string[] | undefined;

  constructor(
    readonly iqn: string,
    /** `address:port`, as an initiator names them. */
    readonly portals: readonly string[],
  ) {}

  addLun(
    lun: number,
    { file, serial, sizeBytes, readOnly = false }: Omit<TargetLun, 'readOnly'> & { sizeBytes: number; readOnly?: boolean },
  ): void {
    writeFileSync(file, '');
    truncateSync(file, sizeBytes);
    this.luns.set(lun, { file, serial, readOnly });
  }

  grow(lun: number, sizeBytes: number): void {
    const found = this.luns.get(lun);
    if (found === undefined) throw new TypeError(`${this.iqn} has no LUN ${lun}`);
    closeSync(openSync(found.file, 'r+'));
    truncateSync(found.file, sizeBytes);
  }
}

export function sizeOf({ file }: TargetLun): number {
  return statSync(file).size;
}
