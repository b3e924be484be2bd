import { type Call, unlessCode } from '@vbs/core';
import type { Disk } from './disks.js';
import type { WantedDisk } from './requests.js';
import type { Tools } from './tools.js';

const sectorBytes = 512;

/** What a disk that a guest has just taken is not as it must be: Xen connects devices of any size, and read-only ones for writing. */
export async function differencesOf(
  call: Call,
  { machine }: Tools,
  { device, sectors, access: found }: Disk,
  { access, sizeBytes }: WantedDisk,
): Promise<readonly string[]> {
  const isReadOnly =
    device !== undefined && (await unlessCode('NOT_FOUND', machine.readFile(call, `/sys/dev/block/${device}/ro`)))?.trim() === '1';
  return [
    ...(sectors === undefined || sectors * sectorBytes === sizeBytes ? [] : [`has ${sectors * sectorBytes} bytes, not ${sizeBytes}`]),
    ...(found === access ? [] : [`was attached ${found}, not ${access}`]),
    ...(access === 'read-write' && isReadOnly ? ['takes no writes in Dom0'] : []),
  ];
}
