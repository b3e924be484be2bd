/** The commands of this plugin. `<path>`, `<directory>` and `<managerId>` are of the configuration and of checked ids. */
export const commands = {
  listJson: 'nimbus-admin --list --json --report id,node,state',
  listDelimited: 'nimbus-admin --list --batch -D <delimiter> --report id,node,state',
  readIdMap: 'cat <path>',
  listDocuments: 'ls -1 <directory>',
  readDocument: 'cat <directory>/<managerId>.xml',
} as const;
