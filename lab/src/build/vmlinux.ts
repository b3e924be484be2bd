import { VbsError } from '@vbs/core';
import { runTool } from '../tools.js';

/** The compressions of a kernel's payload that Debian has used, by their first bytes, with the program that undoes them. */
const compressions: readonly { readonly magic: Buffer; readonly command: readonly [string, ...string[]] }[] = [
  { magic: Buffer.from('fd377a585a00', 'hex'), command: ['xz', '-dc', '--single-stream'] },
  { magic: Buffer.from('1f8b', 'hex'), command: ['gzip', '-dc'] },
  { magic: Buffer.from('28b52ffd', 'hex'), command: ['zstd', '-dc'] },
];

const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/** The compressed kernel within a bzImage: its place is told in the header (Documentation/x86/boot.rst, payload_offset). */
export function payloadOf(image: Buffer): Buffer {
  if (image.length < 0x260 || image.toString('latin1', 0x202, 0x206) !== 'HdrS')
    throw new VbsError('INTERNAL', 'The kernel is no bzImage: it has no header "HdrS".');
  const setupSectors = image[0x1f1] || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c);
  if (end > image.length) throw new VbsError('INTERNAL', 'The kernel is cut off: its header names more than there is.');
  return image.subarray(start, end);
}

/** The ELF kernel within a bzImage, which QEMU starts by PVH without a boot loader. @throws INTERNAL: it is not as known. */
export async function extractVmlinux(image: Buffer): Promise<Buffer> {
  const payload = payloadOf(image);
  const found = compressions.find(({ magic }) => payload.subarray(0, magic.length).equals(magic));
  if (found === undefined)
    throw new VbsError('INTERNAL', `The kernel's compression is not known: it begins with ${payload.toString('hex', 0, 6)}.`);
  const [tool, ...words] = found.command;
  const kernel = await runTool(tool, words, { input: payload });
  if (!kernel.subarray(0, 4).equals(elf)) throw new VbsError('INTERNAL', 'What the kernel holds is no ELF file.');
  return kernel;
}
