/** libxl's own reading of a virtual disk's name (libxl__device_disk_dev_number, 4.17); undefined: it is none. */
export function diskNumber(vdev: string): number | undefined {
  const [, kind, letters = '', part = ''] = /^(xvd|hd|sd)([a-z]+)(\d*)$/.exec(vdev) ?? [];
  if (kind === undefined) {
    // strtoul with base 0: decimal, 0x…, 0… octal.
    if (/^0x[\da-f]+$/i.test(vdev)) return Number(vdev);
    if (/^0[0-7]*$/.test(vdev)) return Number.parseInt(vdev, 8);
    return /^\d+$/.test(vdev) ? Number(vdev) : undefined;
  }
  let disk = 0;
  for (const letter of letters) disk = disk * 26 + (letter.charCodeAt(0) - 'a'.charCodeAt(0) + 1);
  disk -= 1;
  const partition = Number(part);
  if (kind === 'xvd') {
    if (disk >= 2 ** 20 || partition > 255) return undefined;
    return disk <= 15 && partition <= 15 ? 202 * 256 + disk * 16 + partition : 2 ** 28 + disk * 256 + partition;
  }
  if (kind === 'hd') return disk > 3 || partition > 63 ? undefined : (disk < 2 ? 3 : 22) * 256 + (disk % 2) * 64 + partition;
  return disk > 15 || partition > 15 ? undefined : 8 * 256 + disk * 16 + partition;
}

/** The name by which a Linux guest's blkfront would show a number: sdc and hdc become xvdc. */
export function guestName(number: number): string {
  const letter = (disk: number): string => String.fromCharCode(97 + disk);
  if (number >= 2 ** 28) return `xvd#${Math.floor((number - 2 ** 28) / 256)}/${number % 256}`;
  const [major, minor] = [Math.floor(number / 256), number % 256];
  const perDisk = major === 3 || major === 22 ? 64 : 16;
  const disk = Math.floor(minor / perDisk) + (major === 22 ? 2 : 0);
  return `xvd${letter(disk)}/${minor % perDisk}`;
}
