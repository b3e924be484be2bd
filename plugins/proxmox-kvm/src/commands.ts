/**
 * The commands of this plugin. `drive` is a device's path and its options, `/dev/…,backup=0,cache=none,serial=…`; `digest` is the SHA-1 of
 * the configuration that was looked at before: qm changes no other.
 */
export const commands = {
  list: 'qm list',
  status: 'qm status <vmId>',
  attach: 'qm set <vmId> --<vmDev> <drive> --digest <digest>',
  detach: 'qm set <vmId> --delete <vmDev> --digest <digest>',
  revert: 'qm set <vmId> --revert <vmDev> --digest <digest>',
} as const;
