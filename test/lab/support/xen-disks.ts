import type { AttachableSource, GuestDisk } from '@vbs/conformance';
import type { Domu, XenGuest } from '@vbs/lab';
import { deviceIo, KiB } from './lvm-groups.js';

const stretchBytes = 1024 * KiB;
const sectorBytes = 512;

/** A block device of Dom0, and the bytes on its medium. */
export interface Dom0Disk {
  readonly path: string;
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** What is read and written waits from then on, as when a storage server is gone. */
  hang(): Promise<void>;
  goOn(): Promise<void>;
  remove(): Promise<void>;
}

/** Block devices on stretches of Dom0's data disk, of at most 1 MiB each. */
export class Dom0Disks {
  #made = 0;

  constructor(private readonly dom0: () => XenGuest) {}

  /** One that reads zeros. */
  async make(sizeBytes: number): Promise<Dom0Disk> {
    const dom0 = this.dom0();
    const nth = ++this.#made;
    const name = `disk${nth}`;
    const path = `/dev/mapper/${name}`;
    await dom0.script(`
      dmsetup create ${name} --table "0 ${sizeBytes / sectorBytes} linear ${dom0.diskPath} ${(nth * stretchBytes) / sectorBytes}"
      dd if=/dev/zero of=${path} bs=${sizeBytes} count=1 oflag=direct conv=notrunc,nocreat,fsync status=none`);
    const io = deviceIo(this.dom0);
    return {
      path,
      // The backend writes past Dom0's page cache.
      read: async (offset, length) => {
        await dom0.run('blockdev', '--flushbufs', path);
        return Buffer.from(await io.read({ kind: 'block', path }, offset, length));
      },
      write: async (offset, bytes) => await io.write({ kind: 'block', path }, offset, bytes),
      hang: async () => void (await dom0.run('dmsetup', 'suspend', '--noflush', name)),
      goOn: async () => void (await dom0.run('dmsetup', 'resume', name)),
      remove: async () => void (await dom0.run('dmsetup', 'remove', '--retry', name)),
    };
  }
}

let sources = 0;

/** A source as the kit wants it. */
export async function makeSource(disks: Dom0Disks, sizeBytes: number): Promise<AttachableSource> {
  const disk = await disks.make(sizeBytes);
  return {
    source: { kind: 'block', path: disk.path },
    serial: `vol${(++sources).toString(16).padStart(17, '0')}`,
    read: disk.read,
    write: disk.write,
    grow: async () => {
      throw new Error('Xen declares no extend');
    },
    remove: disk.remove,
  };
}

/** The kernel of a guest says that it has a disk a moment before it shows it. */
export const untilThere = (slot: string): string =>
  `for i in $(seq 20); do [ -b /dev/${slot} ] && break; usleep 50000; done; [ -b /dev/${slot} ] || { echo "no ${slot}" >&2; exit 1; }`;

/** What the programs of a DomU see in a slot, past its page cache. */
export async function guestDisk(domu: Domu, slot: string): Promise<GuestDisk> {
  const disk = `/dev/${slot}`;
  const { stdout } = await domu.run(`${untilThere(slot)}\nblockdev --getsize64 ${disk}`);
  return {
    sizeBytes: Number(stdout),
    read: async (offset, length) => {
      const script = `dd if=${disk} bs=${length} iflag=direct,skip_bytes,fullblock skip=${offset} count=1 2>/tmp/dd | base64 -w0; cat /tmp/dd >&2`;
      const bytes = Buffer.from((await domu.run(script)).stdout, 'base64');
      if (bytes.length === length) return bytes;
      throw new Error(`${domu.name} read ${bytes.length} of ${length} bytes of ${slot}`);
    },
    write: async (offset, bytes) => {
      await domu.run(`base64 -d <<'END' >/tmp/bytes
${Buffer.from(bytes).toString('base64')}
END
dd if=/tmp/bytes of=${disk} bs=64k oflag=seek_bytes seek=${offset} conv=notrunc,fsync`);
    },
    // This disk alone: `sync` would wait for one whose storage hangs.
    flush: async () => void (await domu.run(`blockdev --flushbufs ${disk}`)),
  };
}

/**
 * Makes a DomU that does not let go of a disk, which goes on working: the thread of its kernel that answers Xen waits for another disk,
 * whose storage hangs. Answers how it goes on.
 */
export async function holdDisks(dom0: XenGuest, disks: Dom0Disks, domain: string): Promise<() => Promise<void>> {
  const slot = 'xvdy';
  const hung = await disks.make(64 * KiB);
  await hung.hang();
  await dom0.script(`
    xl block-attach ${domain} phy:${hung.path} ${slot} w
    for i in {1..50}; do xl block-list ${domain} | grep -q '^268441600 *0 *[0-9]* *4 ' && exit 0; sleep 0.1; done; exit 1`);
  return async () => {
    await hung.goOn();
    await dom0.run('xl', 'block-detach', domain, slot);
    await hung.remove();
  };
}
