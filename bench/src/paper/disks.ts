/** The four disks of the paper's experiment, in the order of its legend, and what each is made of. */
export const diskParts = {
  'VBS-LVM': 'a logical volume of the volume server, by tgt and iSCSI to Dom0, by `xl` to the DomU',
  'AoE-LVM': 'a logical volume of the volume server, by vblade and AoE to Dom0, by `xl` to the DomU',
  'Local-LVM': 'a logical volume of Dom0, by `xl` to the DomU',
  'Local-Image': 'a file of Dom0 on ext4, by a loop device and `xl` to the DomU',
} as const satisfies Readonly<Record<string, string>>;

export type Disk = keyof typeof diskParts;

export const disks = Object.keys(diskParts) as readonly Disk[];

/** What the others are divided by: the disk that no network and no file system of Dom0 stands before. */
export const baseline: Disk = 'Local-LVM';

/** The names under which the DomU has them. */
export const slots: Readonly<Record<Disk, string>> = { 'VBS-LVM': 'xvdb', 'AoE-LVM': 'xvdc', 'Local-LVM': 'xvdd', 'Local-Image': 'xvde' };
