import { VbsError } from '@vbs/core';

/** A virtual device of a VM, as its number tells it. */
export interface Vdev {
  readonly number: number;
  /** `xvdb`, `xvda1`; the number itself where it stands for none of the names. */
  readonly name: string;
  /** Which disk of the VM: xvdc, sdc and hdc are the same one to a Linux guest, and only one of them comes up there. Unknown for other numbers. */
  readonly disk?: number;
  /** 0: the whole disk. */
  readonly partition: number;
}

type Bus = 'xvd' | 'hd' | 'sd';

const xvdMajor = 202;
const sdMajor = 8;
const hdMajors = [3, 22] as const;
const extended = 1 << 28;
/** A number of major 202 has room for 16 disks of 15 partitions; beyond, the extended form is used. */
const disksOfMajor = 16;
/** The last disk of each bus. Xen's own bound for xvd is 2^20-1; a Linux guest has room for 4096 disks of 256 partitions. */
const lastDisk = { xvd: 4095, hd: 3, sd: 15 } as const satisfies Record<Bus, number>;

/**
 * The virtual device of a number: `202<<8 | disk<<4 | partition` for xvda to xvdp, `1<<28 | disk<<8 | partition` beyond, `8<<8 | disk<<4`
 * for sda to sdp, `3<<8 | disk<<6` for hda and hdb, `22<<8` for hdc and hdd (xen-vbd-interface(7)).
 */
export function vdevOf(number: number): Vdev {
  const [major, minor] = [number >> 8, number & 0xff];
  if (major === xvdMajor) return named('xvd', number, minor >> 4, minor & 15);
  if (major === sdMajor) return named('sd', number, minor >> 4, minor & 15);
  if (major === hdMajors[0]) return named('hd', number, minor >> 6, minor & 63);
  if (major === hdMajors[1]) return named('hd', number, 2 + (minor >> 6), minor & 63);
  if (number >= extended && number < extended * 2) return named('xvd', number, (number - extended) >> 8, minor);
  return { number, name: String(number), partition: 0 };
}

/**
 * The virtual device that a name or number of a whole disk means: `xvdb`, `/dev/xvdb`, `51728` and `0xca10` are one.
 *
 * @throws INVALID_ARGUMENT: it is none, or a partition; `context.field` is `device`.
 */
export function parseVdev(device: string): Vdev {
  const vdev = /^([1-9]\d{0,9}|0x[\dA-Fa-f]{1,8})$/.test(device) ? vdevOf(Number(device)) : vdevOfName(device);
  if (vdev !== undefined && vdev.partition === 0 && vdevOfName(vdev.name) !== undefined) return vdev;
  const message =
    `${JSON.stringify(device.slice(0, 40))} is no disk of a Xen VM: give xvda to xvdz and on to xvd${letters(lastDisk.xvd)}, sda to sdp, ` +
    `hda to hdd, with or without /dev/, or the number (51728 and 0xca10 are xvdb); no partition.`;
  throw new VbsError('INVALID_ARGUMENT', message, { context: { field: 'device' } });
}

function vdevOfName(name: string): Vdev | undefined {
  const [, bus, text = ''] = /^(?:\/dev\/)?(xvd|hd|sd)([a-z]{1,4})$/.exec(name) ?? [];
  if (bus !== 'xvd' && bus !== 'hd' && bus !== 'sd') return undefined;
  const disk = [...text].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 96, 0) - 1;
  return disk <= lastDisk[bus] ? vdevOf(numberOf(bus, disk, 0)) : undefined;
}

function numberOf(bus: Bus, disk: number, partition: number): number {
  if (bus === 'sd') return (sdMajor << 8) | (disk << 4) | partition;
  if (bus === 'hd') return (hdMajors[disk < 2 ? 0 : 1] << 8) | ((disk & 1) << 6) | partition;
  if (disk < disksOfMajor && partition < 16) return (xvdMajor << 8) | (disk << 4) | partition;
  return extended | (disk << 8) | partition;
}

function named(bus: Bus, number: number, disk: number, partition: number): Vdev {
  // xvdb has a number already: `1<<28 | 1<<8` is another device, which the guest cannot tell from it.
  const isIts = numberOf(bus, disk, partition) === number;
  return { number, name: isIts ? `${bus}${letters(disk)}${partition === 0 ? '' : partition}` : String(number), disk, partition };
}

/** a to z, aa, ab… */
function letters(disk: number): string {
  const last = String.fromCharCode(97 + (disk % 26));
  return disk < 26 ? last : letters(Math.floor(disk / 26) - 1) + last;
}
