/** The commands of this plugin. `tee` writes what it is given on standard input: a password never stands in an argument. */
export const commands = {
  createRecord: 'iscsiadm -m node -T <iqn> -p <portal> --op new',
  readFile: 'cat <path>',
  writeRecord: 'tee <path>',
  deleteRecord: 'iscsiadm -m node -T <iqn> -p <portal> --op delete',
  removeTornRecords: 'rm -rf <path>',
  login: 'iscsiadm -m node -T <iqn> -p <portal> --login',
  logout: 'iscsiadm -m session -r <sid> --logout',
  scanHost: 'tee <path>',
  rescanDevice: 'tee <path>',
  deleteDevice: 'tee <path>',
  resolveLink: 'readlink -f <path>',
  flushDevice: 'blockdev --flushbufs <device>',
  findOpeners: 'find /proc -mindepth 3 -maxdepth 3 -path /proc/[1-9]*/fd/* ( -lname <device> -o -lname <device>[0-9]* )',
} as const;
