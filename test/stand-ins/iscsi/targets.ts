import { closeSync, openSync, statSync, truncateSync, writeFileSync } from 'node:fs';

/** A LUN of a target: a file of real bytes. */
export interface TargetLun {
  readonly file: string;
  readonly serial: string;
  readonly readOnly: boolean;
}

/** Who asks to be let in. */
export interface Comer {
  readonly initiator: string;
  /** The address that the connection is made to, with its port. */
  readonly portal: string;
  readonly chap: { readonly user: string; readonly password: string } | undefined;
}

/** What the target says to a login: how the session ends there, or why there is none. */
export type Admission = { readonly leave: () => void } | 'not found' | 'wrong secret';

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

  admit({ initiator, portal, chap }: Comer): Admission {
    if (!this.portals.includes(portal) || !(this.initiators?.includes(initiator) ?? true)) return 'not found';
    const isRight = this.chap === undefined || (this.chap.user === chap?.user && this.chap.password === chap.password);
    return isRight ? { leave: () => undefined } : 'wrong secret';
  }

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
