/**
 * The commands of the LVM backend. `<lvmConfig>` carries settings of lvm.conf for this one command: sizes in bytes, and which devices are
 * looked at. `look` is vgs and lvs at once (vgs alone does not show a group that has no LV). What removes an LV names whose it must be, and that it is no origin: LVM looks at both while it holds the group's lock.
 */
export const lvmCommands = {
  look: 'lvm fullreport --config <lvmConfig> --reportformat json --configreport vg -o vg_attr,vg_tags,vg_size,vg_free,vg_extent_size --configreport lv -o lv_name,lv_size,lv_attr,origin,pool_lv,data_percent,metadata_percent,lv_tags,lv_path --configreport pv --select pv_size=0 --configreport seg --select seg_size=0 --configreport pvseg --select pvseg_size=0 <volumeGroup>',
  readSettings:
    'lvmconfig --config <lvmConfig> --typeconfig full activation/monitoring activation/snapshot_autoextend_threshold devices/scan_lvs',
  markGroup: 'vgchange --config <lvmConfig> --addtag <storeTag> --addtag <backendTag> --addtag <epochTag> <volumeGroup>',
  markBackend: 'vgchange --config <lvmConfig> --addtag <backendTag> <volumeGroup>',
  raiseEpoch: 'vgchange --config <lvmConfig> --addtag <epochTag> --deltag <oldEpochTag> <volumeGroup>',
  createThick:
    'lvcreate --config <lvmConfig> --yes --wipesignatures y --zero y --size <size>b --name <id> --addtag <storeTag> --addtag <stateTag> --addtag <bytesTag> <volumeGroup>',
  createThin:
    'lvcreate --config <lvmConfig> --yes --virtualsize <size>b --thinpool <volumeGroup>/<thinPool> --name <id> --addtag <storeTag> --addtag <stateTag>',
  snapshotThick:
    'lvcreate --config <lvmConfig> --yes --snapshot --extents <percent>%ORIGIN --name <id> --addtag <storeTag> --addtag <stateTag> --addtag <volumeTag> --addtag <bytesTag> <volumeGroup>/<volumeId>',
  snapshotThin:
    'lvcreate --config <lvmConfig> --yes --snapshot --setactivationskip y --name <id> --addtag <storeTag> --addtag <stateTag> --addtag <volumeTag> <volumeGroup>/<volumeId>',
  cloneThin:
    'lvcreate --config <lvmConfig> --yes --snapshot --setactivationskip n --activate y --name <id> --addtag <storeTag> --addtag <stateTag> <volumeGroup>/<snapshotId>',
  activate: 'lvchange --config <lvmConfig> --yes --activate y --ignoreactivationskip <volumeGroup>/<id>',
  retag: 'lvchange --config <lvmConfig> --addtag <tag> --deltag <oldTag> <volumeGroup>/<id>',
  extend: 'lvextend --config <lvmConfig> --size <size>b <volumeGroup>/<id>',
  remove: 'lvremove --config <lvmConfig> --yes --select lv_tags=<storeTag>&&lv_attr!~^[oO] <volumeGroup>/<id>',
  zeroPiece: 'dd if=/dev/zero of=<to> bs=<block> seek=<first> count=<count> iflag=fullblock oflag=direct conv=notrunc,nocreat,fsync',
  copyPiece:
    'dd if=<from> of=<to> bs=<block> skip=<first> seek=<first> count=<count> iflag=direct,fullblock oflag=direct conv=notrunc,nocreat,fsync',
  discardPiece: 'blkdiscard --offset <offset> --length <length> <path>',
} as const;
export type LvmCommands = typeof lvmCommands;
