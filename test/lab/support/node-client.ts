import { randomBytes } from 'node:crypto';
import type { ExportableVolume } from '@vbs/conformance';
import type { Guest } from '@vbs/lab';
import type { GuestShells } from './node-client-shell.js';

const volumeGroup = 'vg0';

/** Reads and writes a device of a guest, in base64 over its shell; nothing is made where there is none. Direct: past the guest's cache. */
export function bytesOf(shells: GuestShells, path: string, { direct = false } = {}) {
  const flag = direct ? ',direct' : '';
  return {
    read: async (offset: number, length: number): Promise<Buffer> => {
      const dd = `dd if='${path}' bs=64k iflag=skip_bytes,count_bytes,fullblock${flag} skip=${offset} count=${length} status=none`;
      return Buffer.from(await shells.run(`${dd} | base64 -w0`), 'base64');
    },
    write: async (offset: number, bytes: Uint8Array): Promise<void> => {
      const dd = `dd of='${path}' bs=64k iflag=fullblock oflag=seek_bytes${flag} seek=${offset} conv=notrunc,nocreat status=none`;
      await shells.run(`[ -b '${path}' ]; base64 -d <<<'${Buffer.from(bytes).toString('base64')}' | ${dd}`);
    },
  };
}

/** A volume group with extents as small as the volumes of a test. */
export async function makeVolumeGroup(guest: Guest): Promise<void> {
  await guest.script(`vgcreate -qq -s 64k ${volumeGroup} ${guest.diskPath}`);
}

/** A logical volume that reads zeros, of whole extents of 64 KiB. */
export async function makeLogicalVolume(shells: GuestShells, sizeBytes: number): Promise<ExportableVolume<'block'>> {
  const name = `v-${randomBytes(6).toString('hex')}`;
  const path = `/dev/${volumeGroup}/${name}`;
  const zeroes = (from: number, to: number): string =>
    `dd if=/dev/zero of=${path} bs=64k oflag=seek_bytes seek=${from} iflag=count_bytes count=${to - from} conv=notrunc,nocreat status=none`;
  let size = sizeBytes;
  await shells.run(`lvcreate -qq -y -Wn -Zn -L ${sizeBytes}b -n ${name} ${volumeGroup} 2>/dev/null; ${zeroes(0, sizeBytes)}`);
  return {
    locator: { kind: 'block', path },
    ...bytesOf(shells, path),
    grow: async (larger) => {
      await shells.run(`lvextend -qq -L ${larger}b ${volumeGroup}/${name}; ${zeroes(size, larger)}`);
      size = larger;
    },
    remove: async () => void (await shells.run(`[ ! -e ${path} ] || lvremove -qq -y ${volumeGroup}/${name}`)),
  };
}
