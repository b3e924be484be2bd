import type { VolumeIo } from '@vbs/conformance';
import type { Guest } from '@vbs/lab';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const extentBytes = MiB;
export const thinPool = 'pool';

export interface GroupOptions {
  /** Has a thin pool. */
  readonly thin?: boolean;
  /** Of the group's one device; 96 MiB unless told. */
  readonly sizeMiB?: number;
  /** Of the thin pool's data; 64 MiB unless told. */
  readonly poolMiB?: number;
  /** A second device of the same size, so that one can go missing. */
  readonly spare?: boolean;
}

/** A volume group of a guest, and the device that it lies on. */
export interface LvmGroup {
  readonly name: string;
  readonly device: string;
}

/**
 * Volume groups on stretches of a guest's disk. A test that is given one has it alone and unmarked; one that was used before is given
 * again, since making a group with its pool takes seconds.
 */
export class LvmGroups {
  readonly #free = new Map<string, LvmGroup[]>();
  #madeMiB = 1;
  #made = 0;

  constructor(private readonly guest: () => Guest) {}

  /** A group without tags and volumes. */
  async take(options: GroupOptions = {}): Promise<LvmGroup> {
    const used = this.#free.get(JSON.stringify(options))?.pop();
    if (used === undefined) return await this.#make(options);
    await this.guest().script(`
      left=$(lvs --noheadings -o lv_name --select 'lv_name!=${thinPool}' ${used.name})
      [ -z "$left" ] || { echo "left in ${used.name}: $left" >&2; exit 1; }
      tags=$(vgs --noheadings -o vg_tags ${used.name} | tr -d ' ' | sed 's/[^,]\\+/--deltag &/g; s/,/ /g')
      [ -z "$tags" ] || vgchange -q ${used.name} $tags`);
    return used;
  }

  /** Takes one back that nothing is left in. */
  giveBack(group: LvmGroup, options: GroupOptions = {}): void {
    const key = JSON.stringify(options);
    this.#free.set(key, [...(this.#free.get(key) ?? []), group]);
  }

  async #make(options: GroupOptions): Promise<LvmGroup> {
    const { thin = false, sizeMiB = 96, poolMiB = 64, spare = false } = options;
    const name = `lab${++this.#made}`;
    const device = `/dev/mapper/${name}-disk`;
    const guest = this.guest();
    const first = this.#madeMiB;
    this.#madeMiB += spare ? 2 * sizeMiB : sizeMiB;
    const table = (from: number): string => `"0 ${sizeMiB * 2048} linear ${guest.diskPath} ${from * 2048}"`;
    await guest.script(`
      dmsetup create ${name}-disk --table ${table(first)}
      ${spare ? `dmsetup create ${name}-spare --table ${table(first + sizeMiB)}` : ''}
      vgcreate -q -y -s ${extentBytes}b ${name} ${device} ${spare ? `/dev/mapper/${name}-spare` : ''}
      ${thin ? `lvcreate -q -y --type thin-pool -L ${poolMiB}m -n ${thinPool} ${name}` : ''}`);
    return { name, device };
  }
}

/** Reads and writes a block device of a guest; a write ends when it is on the medium. */
export function deviceIo(guest: () => Guest): VolumeIo<'block'> {
  return {
    read: async ({ path }, offset, length) => {
      const dd = `dd if=${path} bs=1M iflag=skip_bytes,count_bytes,fullblock skip=${offset} count=${length} status=none`;
      return Buffer.from(await guest().script(`set -o pipefail; ${dd} | base64 -w0`), 'base64');
    },
    write: async ({ path }, offset, bytes) => {
      const dd = `dd of=${path} bs=1M iflag=fullblock oflag=seek_bytes seek=${offset} conv=notrunc,nocreat,fsync status=none`;
      await guest().script(`base64 -d | ${dd}`, { input: Buffer.from(bytes).toString('base64') });
    },
  };
}
