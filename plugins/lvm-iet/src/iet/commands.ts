/**
 * The commands of the exporter. `ietadm --op delete` without a target id stops every target of the machine: a pattern that changes
 * anything carries `<tid>` within a word of its own, and a value is never empty.
 */
export const commands = {
  showVersion: 'ietadm --version',
  createTarget: 'ietadm --op new --tid=<tid> --params Name=<iqn>',
  deleteTarget: 'ietadm --op delete --tid=<tid>',
  listUsers: 'ietadm --op show --tid=<tid> --user',
  createUser: 'ietadm --op new --tid=<tid> --user --params=IncomingUser=<user>,Password=<password>',
  deleteUser: 'ietadm --op delete --tid=<tid> --user --params=<direction>=<user>',
  createLun: 'ietadm --op new --tid=<tid> --lun=<lun> --params Path=<path>,Type=<type>,ScsiId=<serial>,ScsiSN=<serial>,IOMode=<mode>',
  deleteLun: 'ietadm --op delete --tid=<tid> --lun=<lun>',
  dropConnection: 'ietadm --op delete --tid=<tid> --sid=<sid> --cid=<cid>',
  inspectVolume: 'stat --dereference --format=%f:%s:%t:%T <path>',
} as const;
